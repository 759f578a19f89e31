"""What all simulators are: an outside party over real HTTP, with a journal, scripted out of band.

The service sees only what the protocol says. Faults are scripted, and the journal read, by method
calls of the harness: there is no way to either over HTTP.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from checks.evidence import JournalEntry
from checks.testbed.http import Answer, Received
from checks.testbed.journal import Entry, Journal
from checks.testbed.line import Line

_NONSENSE = '{"id": "'


class Simulator(ABC):
    """One testbed's outside party; an asynchronous context manager.

    The journal's times are those of the monotonic clock, in seconds, which all processes of a
    machine share.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._journal = Journal(self.name)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.lift()
        await self._stop()

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """The TCP ports at which the service may reach it, once it runs."""

    @abstractmethod
    def lift(self) -> None:
        """Behave again; replies that were withheld are let go."""

    @abstractmethod
    async def _start(self) -> None:
        """Listen."""

    @abstractmethod
    async def _stop(self) -> None:
        """Listen no more, and cut what is open."""

    def journal(self, token: str | None = None, since: int = 0) -> tuple[JournalEntry, ...]:
        """What was asked, in order of arrival, from an entry on; about one thing only, if given."""
        return self._journal.read(since, token)

    async def wait(self, entries: int, seconds: float, token: str | None = None) -> None:
        """Until the journal holds so many (about one thing), or so many seconds have passed."""
        await self._journal.wait(entries, seconds, token)


class Party(Simulator):
    """One that the service is told the address of, with a line for each of its processes.

    ``api_key`` is what the service has to send, at one of its ``lines``.
    """

    def __init__(self, api_key: str, lines: int = 1) -> None:
        super().__init__()
        self.api_key = api_key
        self.lines = tuple(Line(self.name, self._answer) for _ in range(lines))

    @property
    def ports(self) -> tuple[int, ...]:
        """Those of its lines."""
        return tuple(line.port for line in self.lines)

    async def _start(self) -> None:
        for line in self.lines:
            await line.start()

    async def _stop(self) -> None:
        for line in self.lines:
            await line.stop()

    @abstractmethod
    async def _answer(self, received: Received) -> Answer | None:
        """The answer to a request; ``None`` cuts the connection."""

    def _refused(self, received: Received, *paths: tuple[str, str]) -> Answer | None:
        """The refusal of a request without the key, or for none of these methods and paths."""
        if received.headers.get("authorization") != f"Bearer {self.api_key}":
            return refusal(401, "unauthorised")
        for method, path in paths:
            if received.method == method and received.path.startswith(path):
                return None
        return refusal(404, "no_such_path")


class Conduct(BaseModel):
    """How a simulator behaves about one thing; what is not given is as it should be.

    ``status`` is answered with an empty refusal where it is not 0, ``nonsense`` is no JSON;
    ``members`` of the reply are told otherwise than they are. The connection of what is
    ``withheld`` is cut, at once or when it behaves again. It is ``done`` all the same, unless
    that is said too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(default=0, ge=0, le=599)
    nonsense: bool = False
    members: dict[str, str] = Field(default_factory=dict)
    withheld: Literal["", "drop", "hang"] = ""
    done: bool = True


C = TypeVar("C", bound=Conduct)


class Conducts(Generic[C]):
    """What is scripted, thing by thing, until it is lifted."""

    def __init__(self, usual: C) -> None:
        self._usual = usual
        self._scripted: dict[str, tuple[C, asyncio.Event]] = {}

    def set(self, token: str, conduct: C | None) -> None:
        """Behave in this way about one thing from now on; ``None``: as it should be."""
        if token in self._scripted:
            self._scripted.pop(token)[1].set()
        if conduct is not None:
            self._scripted[token] = conduct, asyncio.Event()

    def lift(self) -> None:
        """Behave as it should be about all."""
        for token in tuple(self._scripted):
            self.set(token, None)

    def about(self, token: str | None) -> C:
        """What is in force about a thing."""
        return self._usual if token not in self._scripted else self._scripted[token][0]

    async def said(self, token: str | None, answer: Answer) -> Answer | None:
        """What is said instead of the true answer, if anything is."""
        conduct = self.about(token)
        if conduct.withheld == "hang":
            await self._scripted[token or ""][1].wait()
        if conduct.withheld:
            return None
        if conduct.status:
            return refusal(conduct.status, "unavailable")
        if conduct.nonsense:
            return Answer(answer.status, _NONSENSE)
        if conduct.members and answer.status < 300:
            told = json.loads(answer.body)
            return Answer(answer.status, json.dumps(told | conduct.members))
        return answer


def refusal(status: int, code: str) -> Answer:
    """An error as all protocols word it."""
    headers = {"Retry-After": "1"} if status == 429 else {}
    return Answer(status, json.dumps({"error": code}), headers)


def entry_of(received: Received, token: str | None) -> Entry:
    """A request that has just arrived, about one thing."""
    return Entry.of(received, key=received.headers.get("idempotency-key"), token=token)
