"""Several attacks at once: what is raised of all, and when the rest is given up."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from checks.gathering import all_of
from checks.verdicts import Broken, Vulnerable


async def test_gives_what_all_gave_in_their_order() -> None:
    come = [asyncio.Event() for _ in range(3)]

    async def attack(number: int) -> int:
        # The last one ends first.
        if number + 1 < len(come):
            await come[number + 1].wait()
        come[number].set()
        return number

    assert await all_of(attack(number) for number in range(3)) == [0, 1, 2]


async def test_the_weightiest_is_raised_when_all_have_ended() -> None:
    ended = asyncio.Event()

    async def broken() -> None:
        raise Broken("it does not work")

    async def vulnerable() -> None:
        raise Vulnerable("it is open", "close it")

    async def slow() -> None:
        await asyncio.sleep(0)
        ended.set()

    with pytest.raises(Vulnerable):
        await all_of([broken(), vulnerable(), slow()])
    assert ended.is_set()


@pytest.mark.filterwarnings("error")
async def test_what_was_not_begun_when_the_rest_is_given_up_is_closed() -> None:
    async def vulnerable() -> None:
        raise Vulnerable("it is open", "close it")

    async def late() -> None:
        pytest.fail("it was begun")

    async def endless() -> None:
        await asyncio.Event().wait()

    waiting = late()
    with pytest.raises(Vulnerable):
        await all_of([vulnerable(), endless(), waiting], at_once=1, hasty=True)
    assert inspect.getcoroutinestate(waiting) == inspect.CORO_CLOSED


async def test_a_mistake_of_ours_goes_before_any_verdict() -> None:
    async def mistaken() -> None:
        raise KeyError("name")

    async def vulnerable() -> None:
        raise Vulnerable("it is open", "close it")

    with pytest.raises(KeyError):
        await all_of([vulnerable(), mistaken()])


async def test_in_haste_nothing_is_waited_for_once_one_is_vulnerable() -> None:
    cleaned = asyncio.Event()

    async def vulnerable() -> None:
        raise Vulnerable("it is open", "close it")

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    async with asyncio.timeout(5):
        with pytest.raises(Vulnerable):
            await all_of([endless(), vulnerable()], hasty=True)
    assert cleaned.is_set()


async def test_in_haste_what_is_merely_broken_is_no_reason_to_stop() -> None:
    come = asyncio.Event()

    async def broken() -> None:
        come.set()
        raise Broken("it does not work")

    async def vulnerable() -> None:
        await come.wait()
        raise Vulnerable("it is open", "close it")

    with pytest.raises(Vulnerable):
        await all_of([broken(), vulnerable()], hasty=True)
