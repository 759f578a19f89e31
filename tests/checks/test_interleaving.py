"""Requests that go to one replica as one; and what counts as driven when somebody gave up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from multidict import CIMultiDict

from checks.client import Answer
from checks.interleaving import Crowd, interleave
from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Step


def answer(status: int | None) -> Answer:
    return Answer("POST /x", status, CIMultiDict(), b"{}", None if status else "closed", 0)


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([201, 201], 201),
        ([201, 503], 503),
        ([409, 422], 422),
        ([422, 500], 500),
        ([503, None], None),
    ],
)
async def test_a_crowd_is_answered_the_worst(statuses: Sequence[int | None], told: int) -> None:
    def sending(status: int | None):  # type: ignore[no-untyped-def]
        async def send(_: int) -> Answer:
            return answer(status)

        return send

    crowd = Crowd(*(sending(status) for status in statuses))
    assert crowd.size == len(statuses)
    assert (await crowd(0)).status == told


async def test_a_crowd_comes_together_and_then_one_by_one() -> None:
    under_way, most = 0, []

    async def send(_: int) -> Answer:
        nonlocal under_way
        under_way += 1
        most.append(under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return answer(503)

    crowd = Crowd(send, send, send)
    await crowd(0)
    assert max(most) == 3
    most.clear()
    await crowd(0)
    assert most == [1, 1, 1]


class Played:
    """Drives nothing, and says that this was the course."""

    def __init__(self, *steps: Step) -> None:
        self._course = Interleaving(schedule=Schedule(), steps=steps, driven=True)
        self.replicas = range(2)
        self.driving = self

    async def begin(self, schedule: Schedule, replicas: Sequence[int]) -> None: ...

    async def answered(self, thread: int, said: str) -> None: ...

    async def abandon(self) -> None: ...

    async def drive(self) -> Interleaving:
        return self._course


def statement(thread: int, at: float, ended: float | None, came: str = "UPDATE 1") -> Step:
    place = Place(thread=thread, shape="update a")
    return Step(at=at, thread=thread, kind="statement", place=place, ended=ended, came=came)


def waits(thread: int, at: float) -> Step:
    return Step(at=at, thread=thread, kind="waits")


TIMEOUT = "55P03 canceling statement due to lock timeout"


@pytest.mark.parametrize(
    ("steps", "driven"),
    [
        ((statement(0, 1, 2), statement(1, 3, 4)), True),
        ((statement(0, 1, 5, TIMEOUT), waits(0, 2)), False),
        ((statement(0, 1, 5, "57014 canceling statement due to statement timeout"),), False),
        # Not waited for at all: it asked not to.
        ((statement(0, 1, 1.1, "55P03 could not obtain lock on row"),), True),
        # A circle: each waits for the other, and nobody is held.
        (
            (
                statement(0, 1, 5, TIMEOUT), waits(0, 2),
                statement(1, 3, 6), waits(1, 4),
            ),
            True,
        ),
        # The other waits only afterwards.
        ((statement(0, 1, 5, TIMEOUT), waits(0, 2), statement(1, 6, 8), waits(1, 7)), False),
    ],
)  # fmt: skip
async def test_who_was_held_and_gave_up_was_not_driven(
    steps: tuple[Step, ...], driven: bool
) -> None:
    async def send(_: int) -> Answer:
        return answer(201)

    run = await interleave(Played(*steps), Schedule(), [send, send])  # type: ignore[arg-type]
    assert run.course.driven is driven
    assert bool(run.course.why) is not driven
