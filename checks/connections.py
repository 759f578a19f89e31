"""HTTP to a testbed's replicas: what goes over the wire, and what comes back or does not.

A schedule takes some ten requests and tens of milliseconds, so the client's own time counts:
aiohttp takes about a tenth of what httpx does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

#: Headers by name, whatever their case; a name may come several times.
Headers: TypeAlias = CIMultiDict[str] | CIMultiDictProxy[str]

#: Connections idle for longer are not used again: servers close theirs after two seconds and more.
_KEEP_ALIVE = 1.0

#: Bytes of an answer; the contract's longest, a page of 100, is a hundredth of that.
LONGEST = 16 * 1024 * 1024

#: What is sent as it stands; anything else, such as a blank, is escaped.
_SAFE = "!#$%&'()*+,/:;=?@[]~"

#: A request carries the headers that it is given, and no others but Host and the body's length.
_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, whole."""

    status: int
    headers: Headers
    content: bytes


class Unanswered(Exception):  # noqa: N818 - an outcome, and no error
    """No whole answer came; the text says what happened instead."""


class Connections:
    """The connections to a testbed's replicas, shared by its callers; opened when first used."""

    def __init__(self, replicas: Iterable[str]) -> None:
        self.replicas = tuple(url.rstrip("/") for url in replicas)
        self._turn = itertools.count()
        self._http: aiohttp.ClientSession | None = None

    def next_replica(self) -> int:
        """The replicas in turn."""
        return next(self._turn) % len(self.replicas)

    async def send(
        self, method: str, url: str, headers: list[tuple[str, str]], content: bytes | None
    ) -> Received:
        """One request over the wire, and its whole answer. Raises ``Unanswered``."""
        try:
            async with self._session().request(
                method,
                URL(quote(url, safe=_SAFE), encoded=True),
                headers=headers,
                data=content,
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                return Received(response.status, response.headers, body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(_instead(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
                # Each request is bounded by its caller's patience.
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_OWN_HEADERS,
                headers={"User-Agent": "assay"},
                trust_env=False,
                max_line_size=64 * 1024,
                max_field_size=64 * 1024,
            )
        return self._http


def _instead(error: Exception) -> str:
    """What happened instead of an answer."""
    match error:
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "connection closed"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ClientPayloadError():
            return "answer not whole"
        case _:
            return f"{type(error).__name__}: {error}".rstrip(": ")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST:
            raise Unanswered(f"an answer of more than {LONGEST} bytes")
    return bytes(body)
