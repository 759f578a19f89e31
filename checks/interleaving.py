"""Concurrent requests, taken through their steps in the order of a schedule.

    run = await interleave(ground, schedule, [pay, pay_again])
    run.course.driven, run.answers

Each request goes to a replica of its own, in their order; which replica's statements are whose is
then known without the service's help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from checks.client import Answer
from checks.ground import Ground
from checks.losers import lost
from checks.testbed.driving.schedule import Interleaving, Schedule, Step

#: Errors of a statement that was not waited for (``query_canceled``, ``lock_not_available``).
_CANCELLED, _NO_LOCK = "57014", "55P03"

#: Sends a thread's request through the replica of that number.
Send = Callable[[int], Awaitable[Answer]]


class Crowd:
    """Requests at once to one replica as one, which is answered the worst of their answers.

    When they are sent again they come one by one: the race is over.
    """

    def __init__(self, *sends: Send) -> None:
        self._sends = sends
        self._raced = False

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self._sends)

    async def __call__(self, replica: int) -> Answer:
        """Send them through the replica of that number."""
        if self._raced:
            answers = [await one(replica) for one in self._sends]
        else:
            self._raced = True
            answers = await asyncio.gather(*(one(replica) for one in self._sends))
        return max(answers, key=_badness)


def _badness(answer: Answer) -> int:
    if answer.ok:
        return 0
    if lost(answer):
        return 1
    return 3 if answer.failed else 2


@dataclass(frozen=True, slots=True)
class Run:
    """What the requests were answered, in their order, and the course that they took.

    There are no answers where the course is stuck.
    """

    answers: tuple[Answer, ...]
    course: Interleaving


async def interleave(
    ground: Ground,
    schedule: Schedule,
    requests: Sequence[Send],
    *,
    replicas: Sequence[int] | None = None,
) -> Run:
    """Drive one schedule; every other process of the service is held meanwhile.

    ``replicas`` are the requests', in their order; the first ones, if not given. A request may be
    a ``Crowd`` of several.
    """
    driving = ground.driving
    replicas = list(range(len(requests))) if replicas is None else list(replicas)
    sizes = tuple(one.size if isinstance(one, Crowd) else 1 for one in requests)
    await driving.begin(schedule.model_copy(update={"requests": sizes}), replicas)

    async def answered(thread: int, request: Send) -> Answer:
        answer = await request(replicas[thread])
        code = f" {answer.code}" if answer.code else ""
        said = f"{answer.status}{code}" if answer.status else ""
        await driving.answered(thread, said)
        return answer

    tasks = [asyncio.create_task(answered(*one)) for one in enumerate(requests)]
    try:
        course = _heard_out(await driving.drive())
        return Run(() if course.stuck else tuple(await asyncio.gather(*tasks)), course)
    except BaseException:
        await driving.abandon()
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard_out(course: Interleaving) -> Interleaving:
    """The course; not driven where the service would not wait for a lock as long as it was held.

    Of threads that wait for each other in a circle, none is held: that one gives up is the
    service's own way out.
    """
    for step in course.steps:
        code, _, said = step.came.partition(" ")
        if code not in (_CANCELLED, _NO_LOCK) or _in_a_circle(course, step):
            continue
        if code == _CANCELLED or _waited(course, step, step.ended) or "timeout" in said:
            why = f"a timeout of the service's own ended a statement that had to wait: {said}"
            return course.model_copy(update={"driven": False, "why": course.why or why})
    return course


def _in_a_circle(course: Interleaving, given_up: Step) -> bool:
    """Whether others waited for locks too when a statement gave up."""
    return any(
        _waited(course, other, given_up.ended)
        for other in course.steps
        if other.thread != given_up.thread
        and given_up.ended is not None
        and other.at <= given_up.ended <= (other.ended or given_up.ended)
    )


def _waited(course: Interleaving, statement: Step, until: float | None) -> bool:
    """Whether a statement was seen to wait for a lock before that time."""
    return until is not None and any(
        one.kind == "waits" and one.thread == statement.thread and statement.at <= one.at <= until
        for one in course.steps
    )
