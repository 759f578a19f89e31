"""What calls to outside parties have in common: time-outs, and replies of bounded size."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
MAX_REPLY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer; ``retry_after`` is in seconds."""

    status: int
    body: bytes
    retry_after: float | None = None


class UnansweredError(Exception):
    """No whole reply came in time; the request may have arrived. The message is for the log."""


class EndlessReplyError(httpx.StreamError):
    """The other side sent more than any reply of its protocol is long."""


Watch = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
"""Sees the exchanges with one outside party."""


def unwatched(transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    """Let nobody see them."""
    return transport


def open_client(url: str, api_key: SecretStr, watch: Watch = unwatched) -> httpx.AsyncClient:
    """A client of one outside party, with its key and a bounded pool."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    return httpx.AsyncClient(
        base_url=url.rstrip("/"),
        headers={
            "Authorization": f"Bearer {api_key.get_secret_value()}",
            "Accept-Encoding": "identity",
        },
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        transport=watch(httpx.AsyncHTTPTransport(limits=limits, trust_env=False)),
        trust_env=False,
    )


async def whole(response: httpx.Response, limit: int = MAX_REPLY_BYTES) -> bytes:
    """The body of a streamed reply.

    Raises:
        EndlessReplyError: it is longer than so many bytes.
    """
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > limit:
            raise EndlessReplyError("endless reply")
    return bytes(content)


async def ask(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    seconds: float,
    key: str | None = None,
    body: Mapping[str, object] | None = None,
    parameters: Mapping[str, str] | None = None,
    limit: int = MAX_REPLY_BYTES,
) -> Reply:
    """One request and its whole reply, of so many bytes at most, within so many seconds.

    Raises:
        UnansweredError: a time-out, a dropped connection, or a reply without end.
    """
    headers = {"Idempotency-Key": key} if key is not None else {}
    try:
        async with (
            asyncio.timeout(seconds),
            http.stream(method, path, headers=headers, json=body, params=parameters) as response,
        ):
            content = await whole(response, limit)
            return Reply(response.status_code, content, retry_after(response))
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
        raise UnansweredError(type(error).__name__) from None


def retry_after(response: httpx.Response) -> float | None:
    """The seconds after which a reply asks to be asked again, if it names any."""
    value = response.headers.get("retry-after", "")
    return float(value) if re.fullmatch(r"[0-9]{1,5}", value) else None
