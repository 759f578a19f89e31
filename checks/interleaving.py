"""Concurrent requests, taken through their steps in the order of a schedule.

    run = await interleave(testbed, schedule, [pay, pay_again])
    run.course.driven, run.answers

Each request goes to a replica of its own, in their order; which replica's statements are whose is
then known without the service's help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from checks.attachment import Testbed
from checks.client import Answer
from checks.testbed.driving.schedule import Interleaving, Schedule

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
    testbed: Testbed,
    schedule: Schedule,
    requests: Sequence[Send],
    *,
    replicas: Sequence[int] | None = None,
) -> Run:
    """Drive one schedule; every other process of the service is held meanwhile.

    ``replicas`` are the requests', in their order; the first ones, if not given.
    """
    control, lease = testbed.control, testbed.lease.id
    replicas = list(range(len(requests))) if replicas is None else list(replicas)
    await control.call(
        "drive.begin", lease=lease, schedule=schedule.model_dump(), replicas=replicas
    )

    async def answered(thread: int, request: Send) -> Answer:
        answer = await request(replicas[thread])
        code = f" {answer.code}" if answer.code else ""
        said = f"{answer.status}{code}" if answer.status else "no answer"
        await control.call("drive.answered", lease=lease, thread=thread, said=said)
        return answer

    tasks = [asyncio.create_task(answered(*one)) for one in enumerate(requests)]
    try:
        course = Interleaving.model_validate(await control.call("drive.run", lease=lease))
        return Run(() if course.stuck else tuple(await asyncio.gather(*tasks)), course)
    except BaseException:
        await control.call("drive.abandon", lease=lease)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
