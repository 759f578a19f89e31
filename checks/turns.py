"""Whose turn it is, where there is room for few at a time, and for fewer of each kind.

    turns = Turns(3, {"small": 1, "large": 2})
    async with turns.turn("small"):
        ...

Who is urgent goes before who is not; otherwise they go in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Kind = TypeVar("Kind", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Kind]):
    kind: Kind
    urgent: bool
    begun: asyncio.Future[None]


class Turns(Generic[Kind]):
    """So many turns at a time in all, and so many of each kind."""

    def __init__(self, room: int, of_kind: Mapping[Kind, int]) -> None:
        self._room = room
        self._of_kind = Counter(of_kind)
        self._waiting: list[_Waiting[Kind]] = []

    @asynccontextmanager
    async def turn(self, kind: Kind, *, urgent: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and have it during the block."""
        waiting = _Waiting(kind, urgent, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._begin()
        try:
            await waiting.begun
            yield
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._room += 1
                self._of_kind[kind] += 1
                self._begin()

    def more(self, kind: Kind) -> None:
        """From now on there is one turn more of a kind."""
        self._of_kind[kind] += 1
        self._begin()

    def _begin(self) -> None:
        """Let those go on for whom there is room."""
        for one in sorted(self._waiting, key=lambda waiting: not waiting.urgent):
            if not self._room or not self._of_kind[one.kind]:
                continue
            self._room -= 1
            self._of_kind[one.kind] -= 1
            self._waiting.remove(one)
            if not one.begun.done():
                one.begun.set_result(None)
