"""The API client: sends requests as a caller of the service and records every exchange.

A ``Client`` is one caller (an actor with a token). It goes to the replicas in turn, unless it is
told which. No answer is an answer too: ``status`` is ``None`` then, and ``failure`` says what
happened.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from multidict import CIMultiDict
from pydantic import BaseModel, ValidationError

from checks.connections import Connections, Headers, Unanswered
from checks.evidence import Exchange
from checks.probes import current
from checks.verdicts import Broken

#: Seconds after which a request counts as unanswered. Far beyond what a busy machine needs.
PATIENCE = 15.0

Shape = TypeVar("Shape", bound=BaseModel)

#: Gives the bearer token of a caller, or ``None`` for an anonymous one.
TokenSource = Callable[[], Awaitable[str | None]]


class Unset:
    """No body at all, as opposed to the JSON value null."""


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request, or that nothing did."""

    request: str
    status: int | None
    headers: Headers
    content: bytes
    failure: str | None
    replica: int

    def __str__(self) -> str:
        if self.status is None:
            return f"{self.request} got no answer ({self.failure})"
        return f"{self.request} answered {self.status}{f' {self.code}' if self.code else ''}"

    @property
    def json(self) -> Any:
        """The body's JSON value; raises ``Broken`` if it is none."""
        try:
            return jsonlib.loads(self.content)
        except ValueError:
            raise Broken(f"{self}, and the body is not JSON.") from None

    @property
    def members(self) -> dict[str, Any]:
        """The body's JSON object; raises ``Broken`` if it is none."""
        value = self.json
        if not isinstance(value, dict):
            raise Broken(f"{self}, and the body is not a JSON object.")
        return value

    @property
    def code(self) -> str | None:
        """The ``code`` of a problem (contract 1.2), where there is one."""
        try:
            value = jsonlib.loads(self.content)
        except ValueError:
            return None
        code = value.get("code") if isinstance(value, dict) else None
        return code if isinstance(code, str) else None

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it is a definite refusal: a 4xx."""
        return self.status is not None and 400 <= self.status < 500

    @property
    def failed(self) -> bool:
        """Whether the service failed: a 5xx or no answer."""
        return self.status is None or self.status >= 500

    @property
    def replayed(self) -> bool:
        """Whether it says that it is a stored answer (contract 5.6)."""
        value: str = self.headers.get("Idempotency-Replayed", "")
        return value.lower() == "true"

    @property
    def retry_after(self) -> float | None:
        """Seconds of ``Retry-After``, if it gives a number of them."""
        value = self.headers.get("Retry-After", "")
        return float(value) if value.isdigit() else None

    def expect(self, *statuses: int, code: str | tuple[str, ...] | None = None) -> Self:
        """Itself, if it has one of these statuses (and codes); else raises ``Broken``."""
        wanted = " or ".join(str(status) for status in statuses)
        codes = (code,) if isinstance(code, str) else code
        if self.status not in statuses:
            raise Broken(f"{self}; the contract asks for {wanted}{_codes(codes)}.")
        if codes and self.code not in codes:
            raise Broken(f"{self}; the contract asks for {wanted}{_codes(codes)}.")
        return self

    def read(self, shape: type[Shape]) -> Shape:
        """The body read as one of the contract's objects; raises ``Broken`` where it is none."""
        return self.read_value(self.json, shape)

    def read_value(self, value: object, shape: type[Shape]) -> Shape:
        """A part of the body read so."""
        try:
            return shape.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the body"
            raise Broken(
                f"{self}, but {where} is not as the contract says: {first['msg']}."
            ) from None


def _codes(codes: tuple[str, ...] | None) -> str:
    return f" {' or '.join(codes)}" if codes else ""


class Client:
    """One caller of the service.

    ``replica`` pins it to one replica; otherwise each request goes to the next one.
    """

    def __init__(
        self,
        actor: str,
        connections: Connections,
        token: TokenSource | None = None,
        replica: int | None = None,
    ) -> None:
        self.actor = actor
        self.connections = connections
        self._token = token
        self._replica = replica

    def on(self, replica: int) -> Self:
        """The same caller, pinned to a replica."""
        return type(self)(self.actor, self.connections, self._token, replica)

    def carrying(self, token: str | None, actor: str | None = None) -> Self:
        """A caller that sends this bearer token, whatever it is worth."""

        async def given() -> str | None:
            return token

        return self.acting(actor or self.actor, given)

    def acting(self, actor: str, token: TokenSource) -> Self:
        """Another caller, with tokens of its own."""
        return type(self)(actor, self.connections, token, self._replica)

    async def request(
        self,
        method: str,
        path: str,
        json: object = UNSET,
        *,
        content: bytes | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        replica: int | None = None,
        patience: float = PATIENCE,
        record: bool = True,
    ) -> Answer:
        """Send one request. ``json`` is encoded, ``content`` is sent as it stands.

        ``key`` is the Idempotency-Key. ``patience`` is in seconds. Never raises for what the
        service does: no answer within ``patience`` is an ``Answer`` without a status.
        """
        chosen = self._chosen(replica)
        sent = await self._headers(headers, key, body=json is not UNSET or content is not None)
        body = content if json is UNSET else jsonlib.dumps(json).encode()
        recorder, attempt = current()
        began, at = time.monotonic(), attempt.now
        url = self.connections.replicas[chosen] + path
        response, failure = None, None
        try:
            async with asyncio.timeout(patience):
                response = await self.connections.send(method, url, sent, body)
        except TimeoutError:
            failure = f"no answer within {patience:g} s"
        except Unanswered as unanswered:
            failure = str(unanswered)
        answer = Answer(
            f"{method} {path}",
            None if response is None else response.status,
            CIMultiDict() if response is None else response.headers,
            b"" if response is None else response.content,
            failure,
            chosen,
        )
        if record:
            received = None
            if response is not None:
                received = recorder.message(response.headers.items(), response.content)
            attempt.exchange(
                Exchange(
                    at=round(at, 4),
                    seconds=round(time.monotonic() - began, 4),
                    actor=self.actor,
                    replica=chosen,
                    method=method,
                    url=path,
                    request=recorder.message(sent, body or b""),
                    status=answer.status,
                    response=received,
                    failure=failure,
                )
            )
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        """GET; options as for ``request``."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: object = UNSET, **options: Any) -> Answer:
        """POST; options as for ``request``."""
        return await self.request("POST", path, json, **options)

    async def patch(self, path: str, json: object = UNSET, **options: Any) -> Answer:
        """PATCH; options as for ``request``."""
        return await self.request("PATCH", path, json, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """DELETE; options as for ``request``."""
        return await self.request("DELETE", path, **options)

    def _chosen(self, replica: int | None) -> int:
        if replica is not None:
            return replica
        return self.connections.next_replica() if self._replica is None else self._replica

    async def _headers(
        self, given: Mapping[str, str] | None, key: str | None, *, body: bool
    ) -> list[tuple[str, str]]:
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        token = None if self._token is None else await self._token()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        return list((headers | dict(given or {})).items())
