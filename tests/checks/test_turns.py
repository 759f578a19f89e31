from __future__ import annotations

import asyncio
from contextlib import suppress

from checks.turns import Turns


class Guests:
    """Who has a turn, in the order in which they got it; each keeps it until told to go."""

    def __init__(self, turns: Turns[str]) -> None:
        self.came: list[str] = []
        self._turns = turns
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, urgent: bool = False) -> None:
        """Ask for turns of the kind that a name begins with."""
        for name in names:
            self._leave[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._stay(name, urgent))
        await asyncio.sleep(0)

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)

    async def _stay(self, name: str, urgent: bool) -> None:
        async with self._turns.turn(name[0], urgent=urgent):
            self.came.append(name)
            await self._leave[name].wait()


async def test_there_is_room_for_so_many() -> None:
    guests = Guests(Turns(2, {"a": 3}))
    await guests.come("a1", "a2", "a3")
    assert guests.came == ["a1", "a2"]
    await guests.leave("a1")
    assert guests.came == ["a1", "a2", "a3"]


async def test_of_a_kind_there_may_be_fewer_and_others_pass_by() -> None:
    guests = Guests(Turns(3, {"a": 1, "b": 1}))
    await guests.come("a1", "a2", "b1")
    assert guests.came == ["a1", "b1"]
    await guests.leave("a1")
    assert guests.came == ["a1", "b1", "a2"]


async def test_who_is_urgent_goes_before_those_who_wait() -> None:
    guests = Guests(Turns(1, {"a": 4}))
    await guests.come("a1", "a2")
    await guests.come("a3", "a4", urgent=True)
    for name in ("a1", "a3", "a4", "a2"):
        await guests.leave(name)
    assert guests.came == ["a1", "a3", "a4", "a2"]


async def test_a_kind_may_wait_until_there_is_a_turn_for_it() -> None:
    turns = Turns(2, {"a": 0})
    guests = Guests(turns)
    await guests.come("a1", "a2")
    assert guests.came == []
    turns.more("a")
    await asyncio.sleep(0)
    assert guests.came == ["a1"]


async def test_who_gives_up_takes_no_turn() -> None:
    guests = Guests(Turns(1, {"a": 1}))
    await guests.come("a1", "a2", "a3")
    await guests.give_up("a2")
    await guests.leave("a1")
    assert guests.came == ["a1", "a3"]
    await guests.give_up("a3")
    await guests.come("a4")
    assert guests.came == ["a1", "a3", "a4"]


async def test_a_turn_that_came_as_its_owner_gave_up_goes_to_the_next() -> None:
    turns = Turns(1, {"a": 1})
    guests = Guests(turns)
    await guests.come("a1", "a2", "a3")
    guests._leave["a1"].set()
    guests._tasks["a2"].cancel()
    await asyncio.gather(guests._tasks["a1"], guests._tasks["a2"], return_exceptions=True)
    await asyncio.sleep(0)
    assert guests.came == ["a1", "a3"]
