"""What a simulator was asked, in order of arrival, and what it did and said."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from checks.evidence import JournalEntry
from checks.testbed.http import Answer, Received


@dataclass(slots=True)
class Entry:
    """One request; ``fault`` to ``answer`` are known once it is answered.

    ``at`` is in seconds, monotonic; ``token`` is what it is about, in the simulator's own words.
    The last three are as evidence has them.
    """

    at: float
    method: str
    path: str
    key: str | None
    body: str
    token: str | None
    fault: str | None = None
    effect: bool = False
    status: int | None = None
    answer: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    address: str = ""
    server_name: str | None = None

    @classmethod
    def of(cls, received: Received, *, key: str | None = None, token: str | None = None) -> Entry:
        """A request that has just arrived."""
        body = received.body.decode(errors="replace")
        return cls(time.monotonic(), received.method, received.path, key, body, token)

    def ended(self, answer: Answer | None) -> Answer | None:
        """The answer, noted; ``None`` where the connection is cut instead."""
        if answer is not None:
            self.status, self.answer = answer.status, answer.body
        return answer

    def evidence(self, simulator: str) -> JournalEntry:
        """The entry as evidence keeps it."""
        return JournalEntry(
            at=self.at,
            simulator=simulator,
            method=self.method,
            path=self.path,
            key=self.key,
            body=self.body,
            fault=self.fault,
            effect=self.effect,
            status=self.status,
            answer=self.answer,
            headers=self.headers,
            address=self.address,
            server_name=self.server_name,
        )


@dataclass(slots=True)
class Journal:
    """All that one ``simulator`` was asked."""

    simulator: str
    _entries: list[Entry] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, entry: Entry) -> None:
        """Add an entry, and wake whoever waits for it."""
        async with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    def read(self, since: int = 0, token: str | None = None) -> tuple[JournalEntry, ...]:
        """The entries from one on; those about one thing only, if given."""
        return tuple(entry.evidence(self.simulator) for entry in self._about(token)[since:])

    async def wait(self, entries: int, seconds: float, token: str | None) -> None:
        """Until there are so many (about it), or so many seconds have passed."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: len(self._about(token)) >= entries)
        except TimeoutError:
            return

    def _about(self, token: str | None) -> list[Entry]:
        return [entry for entry in self._entries if token is None or entry.token == token]
