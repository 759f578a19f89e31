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
from checks.testbed.driving.schedule import Interleaving, Schedule

#: Errors of a statement that was not waited for (``query_canceled``, ``lock_not_available``).
_CANCELLED, _NO_LOCK = "57014", "55P03"

#: Sends a thread's request through the replica of that number.
Send = Callable[[int], Awaitable[Answer]]


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

    ``replicas`` are the requests', in their order; the first ones, if not given.
    """
    driving = ground.driving
    replicas = list(range(len(requests))) if replicas is None else list(replicas)
    await driving.begin(schedule, replicas)

    async def answered(thread: int, request: Send) -> Answer:
        answer = await request(replicas[thread])
        code = f" {answer.code}" if answer.code else ""
        said = f"{answer.status}{code}" if answer.status else "no answer"
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
    """The course; not driven where the service would not wait for a lock as long as it was held."""
    for step in course.steps:
        code, _, said = step.came.partition(" ")
        waited = any(
            one.kind == "waits" and one.thread == step.thread and step.at <= one.at <= step.ended
            for one in course.steps
            if step.ended is not None
        )
        if code == _CANCELLED or (code == _NO_LOCK and (waited or "timeout" in said)):
            why = f"a timeout of the service's own ended a statement that had to wait: {said}"
            return course.model_copy(update={"driven": False, "why": course.why or why})
    return course
