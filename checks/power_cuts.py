"""Cuts the power at the steps of a request: of its connection, or of the whole replica.

    cuts = power_cuts(course)                   # from the course that the request takes undisturbed
    async with Outages.on(testbed, read) as outages:
        run = await outages.make(cut, send)     # the request meets the cut at some replica
        await send(outages.spare)               # and is sent again to one that is never touched

Nothing is written in between: by the time that ``make`` gives, the backends concerned have left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from checks.attachment import Testbed
from checks.interleaving import Run, Send, interleave
from checks.lanes import brief
from checks.testbed.calls import REPLY
from checks.testbed.driving.schedule import Cut, Interleaving, Schedule

#: Connections that a replica may have lost before it is struck again (contract 7.4).
_POOLED = 10


def power_cuts(course: Interleaving) -> list[Cut]:
    """Every cut that leaves something of its own behind, given the course undisturbed.

    The connection is cut before each statement; at each commit, also with its answer lost, and
    after its answer. Whatever else of a transaction was heard goes with it. The process is killed
    where the work is half done: after each commit and each outside call that another step follows.
    """
    found: list[Cut] = []
    half_done = False
    for step in course.steps:
        if not step.point or step.place is None:
            continue
        if half_done:
            found.append(Cut(at=step.place, kills=True))
        half_done = step.commits or (step.kind == "call" and not step.place.replies)
        if step.kind == "statement":
            found.append(Cut(at=step.place))
            if step.commits:
                found += [Cut(at=step.place, when="unheard"), Cut(at=step.place, when="after")]
    return found


def described(cut: Cut) -> str:
    """A cut in a few words: ``the connection is cut before insert into payments``."""
    what = "the replica is killed" if cut.kills else "the connection is cut"
    shape = cut.at.shape
    if cut.at.replies:
        return f"{what} before {shape.removesuffix(REPLY)} is answered"
    when = {"before": "before", "unheard": "with the reply lost to", "after": "after"}[cut.when]
    return f"{what} {when} {brief(shape)}"


class Outages:
    """Power cuts on a testbed, one at a time, at all of its replicas but the last; made by ``on``.

    A replica that was killed is started again while the others are struck.
    """

    def __init__(self, testbed: Testbed, read: Send) -> None:
        self._testbed = testbed
        self._read = read
        self._one_at_a_time = asyncio.Lock()
        self._standing: asyncio.Queue[asyncio.Task[int]] = asyncio.Queue()
        for replica in testbed.replicas[:-1]:
            self._stands(replica)

    @classmethod
    @asynccontextmanager
    async def on(cls, testbed: Testbed, read: Send) -> AsyncIterator[Self]:
        """All replicas stand again in the end; ``read`` reads something through one of them."""
        outages = cls(testbed, read)
        # Its pools are left with connections that were cut: no other check's matter.
        testbed.spoiled = True
        try:
            yield outages
        finally:
            while not outages._standing.empty():
                await outages._standing.get_nowait()

    @property
    def spare(self) -> int:
        """The replica that meets none."""
        return self._testbed.replicas[-1]

    async def make(self, cut: Cut, send: Send) -> Run:
        """Send a request, and cut the power at that step; gives when it has its answer, or none.

        Raises ``SubmissionError`` where a replica does not start again.
        """
        replica = await self._one_that_stands()
        kills = False
        try:
            async with self._one_at_a_time:
                await self._recovered(replica)
                schedule = Schedule(cut=cut)
                run = await interleave(self._testbed, schedule, [send], replicas=[replica])
            kills = cut.kills and run.course.driven
        finally:
            self._stands(replica, killed=kills)
        return run

    async def _one_that_stands(self) -> int:
        standing = await self._standing.get()
        try:
            return await asyncio.shield(standing)
        except asyncio.CancelledError:
            # Whoever waits for it may be told to stop; it starts all the same.
            self._standing.put_nowait(standing)
            raise

    async def _recovered(self, replica: int) -> None:
        """Let it find out about connections of its pool that were cut."""
        for _ in range(_POOLED):
            if not (await self._read(replica)).failed:
                return

    def _stands(self, replica: int, *, killed: bool = False) -> None:
        """It can be struck, at once or as soon as it has started again."""

        async def standing() -> int:
            if killed:
                await self._testbed.start(replica)
            return replica

        if killed:
            self._testbed.killed.add(replica)
        self._standing.put_nowait(asyncio.create_task(standing()))
