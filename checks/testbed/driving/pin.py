"""Holds one request of a replica's before one of its steps, while all others go on.

The driver has a replica for each thread. Here others go to the same replica too: what the pinned
request's sessions would execute is kept back, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Self

from pydantic import BaseModel, ConfigDict

from checks.testbed.driving.activity import asleep
from checks.testbed.driving.schedule import Place
from checks.testbed.driving.threads import Field, Gates, Process
from checks.testbed.sql.conversation import Conversation

#: Seconds within which the replica comes to rest before, and the request to its step.
_REST, _REACH = 1.0, 10.0

_BEHIND = """
WITH RECURSIVE behind AS (
    SELECT pid, 1 AS distance FROM pg_stat_activity WHERE pid = ANY($1::int[])
  UNION
    SELECT a.pid, b.distance + 1 FROM pg_stat_activity a JOIN behind b
    ON b.pid = ANY(pg_blocking_pids(a.pid))
    WHERE a.datname = current_database() AND b.distance < 5
)
SELECT DISTINCT a.pid, a.query FROM behind b JOIN pg_stat_activity a ON a.pid = b.pid
WHERE NOT a.pid = ANY($1::int[])
"""


class Waiter(BaseModel):
    """A backend that waits for a lock of the pinned request's, directly or behind another.

    ``text`` is the statement that waits.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    text: str


class Pin:
    """One pin, made by ``begin``; ``release`` it in the end."""

    def __init__(self, field: Field, place: Place) -> None:
        self._process = field.replicas[0]
        self._watcher = field.watcher
        self._place = place
        self._changed = asyncio.Event()
        self._changes = 0
        self._gates = Gates(self._process, self._note)
        self._taken: Counter[str] = Counter()
        self._pinned: list[Conversation] = []
        self._stepping: asyncio.Task[None] | None = None
        self._reached = asyncio.Event()

    @classmethod
    async def begin(cls, field: Field, place: Place) -> Self:
        """Close the gate around the field's one replica, once nothing is under way there."""
        pin = cls(field, place)
        try:
            async with asyncio.timeout(_REST):
                while not pin._gates.quiet:
                    await pin._changed.wait()
                    pin._changed.clear()
        except TimeoutError:
            pin._gates.set_aside()
        except BaseException:
            pin._gates.remove()
            raise
        pin._gates.close()
        for gate in pin._gates.calls:
            gate.let_all_go()
        pin._stepping = asyncio.create_task(pin._step())
        return pin

    async def reached(self) -> bool:
        """Wait until the request stands before its step; false where it does not come there."""
        try:
            async with asyncio.timeout(_REACH):
                await self._reached.wait()
        except TimeoutError:
            return False
        return True

    @property
    def broken(self) -> str:
        """What happened because the request was held, if anything did."""
        return self._gates.broken

    async def waiters(self) -> list[Waiter]:
        """Who waits for a lock that the pinned request holds, by the word of PostgreSQL."""
        pids = [one.pid for one in self._pinned]
        rows = await self._watcher.fetch(_BEHIND, pids)
        return [Waiter(pid=row["pid"], text=row["query"]) for row in rows]

    async def resting(self, process: Process) -> bool:
        """Whether a process of the service does nothing now, but for what is pinned."""
        pid = process.pid()
        if pid is None or self._under_way(process):
            return False
        changes = self._changes
        return await asleep(pid, lambda: changes == self._changes and not self._under_way(process))

    def release(self) -> None:
        """Let everything through."""
        if self._stepping is not None:
            self._stepping.cancel()
        self._gates.remove()
        self._gates.forget()

    def _note(self) -> None:
        self._changes += 1
        self._changed.set()

    def _under_way(self, process: Process) -> set[int]:
        """The backends that execute something, without those that are pinned."""
        return set(process.endpoint.executing) - {one.pid for one in self._pinned}

    async def _step(self) -> None:
        """Let go what is held, until the step comes; then only what others would execute."""
        while True:
            self._let_go()
            await self._changed.wait()
            self._changed.clear()

    def _let_go(self) -> None:
        for held in tuple(self._gates.sql.waiting):
            if self._reached.is_set():
                if not any(held.conversation is one for one in self._pinned):
                    held.release()
                continue
            place = self._place
            if held.shape == place.shape and self._taken[held.shape] + 1 == place.occurrence:
                self._pinned = self._busy(held.conversation)
                self._reached.set()
                continue
            self._taken[held.shape] += 1
            held.release()

    def _busy(self, held: Conversation) -> list[Conversation]:
        """The sessions that the request has in hand: the held one, and those in transactions."""
        others = self._process.endpoint.conversations
        return [held, *(one for one in others if one is not held and not one.idle)]
