"""Requests that should have nothing to do with one that is held: whether they wait for it.

    async with pinned(testbed, request, place) as pin:
        waited = await pin.outlived_by(other, 1, control)

One request stands before one of its steps, with all the locks that it has by then. Another one then
either comes to its end, or waits; that it waits is said by PostgreSQL, or it is seen to do nothing,
or the same over and over, while its replica answers whoever else asks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from checks.attachment import Testbed
from checks.client import Answer
from checks.interleaving import Send
from checks.lanes import brief
from checks.losers import follow_up, lost
from checks.probes import current
from checks.testbed.driving.pin import Waiter
from checks.testbed.driving.schedule import Place
from checks.testbed.sql.statement import understand
from checks.verdicts import Broken, Inconclusive

#: The replica on which a request is pinned.
HOME = 0

#: Moments at which a replica rests, and requests of others that it answers, while the request sends
#: nothing; and seconds for which that goes on at least. A request that only pauses has gone on.
_ROUNDS, _SECONDS = 12, 1.5

#: How often a step is repeated by one that polls.
_REPEATS = 12

#: Times that a request may be put off (contract 1.16) while the other stands, with pauses.
_PUT_OFF, _PAUSE = 3, 0.7

#: Seconds after which it is given up to find out what a request does.
_LIMIT = 8.0

_INTERVAL = 0.005


@dataclass(frozen=True, slots=True)
class Wait:
    """How a request was found to wait, in words that go on from its name; ``sql`` if at a lock."""

    how: str
    sql: str | None = None


@dataclass(slots=True)
class PinnedRequest:
    """A request that stands before ``place``; ``sent`` is its answer to be.

    ``broken`` says, once it was let go, what the service did because it was held, if anything: then
    nothing is proved by those that did not wait.
    """

    testbed: Testbed
    place: Place
    sent: asyncio.Task[Answer]
    _others: list[asyncio.Task[Answer]] = field(default_factory=list)
    broken: str = ""

    async def outlived_by(
        self, other: Send, replica: int, control: Callable[[int], Awaitable[Answer]]
    ) -> tuple[Answer | None, Wait | None]:
        """Send another request through a replica; its answer, or how it waits for this one.

        ``control`` is a request of somebody else's that needs the database, and no lock. Neither is
        given where the replica does not even answer that: it has no room for two. Raises
        ``Inconclusive`` where it cannot be told what the request does.
        """
        usual = await self._shapes(replica, partial(control, replica))
        since = (await self.testbed.count(replica)).statements
        sent = asyncio.create_task(_sent(other, replica))
        self._others.append(sent)
        now = asyncio.get_running_loop().time
        began, rests, answered, before = now(), 0, 0, Counter[str]()
        while not sent.done():
            if waiters := await self._waiters(replica):
                return None, Wait("waits for a lock of the other's", waiters[0].text)
            statements = await self._sent_since(replica, since, usual)
            rests = rests + await self._resting(replica) if statements == before else 0
            before = statements
            lasted = now() - began
            if lasted > _LIMIT:
                raise Inconclusive(f"What a request did for {_LIMIT:g} s could not be told.")
            if rests or lasted > _SECONDS:
                if (await control(replica)).status != 200:
                    return None, None
                answered += 1
            if lasted > _SECONDS and answered >= _ROUNDS and not sent.done():
                if rests >= _ROUNDS:
                    return None, Wait("waits for the other inside its replica")
                if max(statements.values(), default=0) >= _REPEATS:
                    return None, Wait("asks again and again, and does not go on")
            await asyncio.wait([sent], timeout=_INTERVAL)
        return await self._put_off(sent.result(), other, replica)

    async def _put_off(
        self, answer: Answer, other: Send, replica: int
    ) -> tuple[Answer | None, Wait | None]:
        """A request that is put off as long as the other stands waits for it, too."""
        for _ in range(_PUT_OFF):
            if not lost(answer):
                return answer, None
            await asyncio.sleep(_PAUSE)
            answer = await other(replica)
        if not lost(answer):
            return answer, None
        return None, Wait(f"is put off each time ({answer.status} {answer.code})")

    async def _waiters(self, replica: int) -> list[Waiter]:
        """The sessions of a replica that wait for a lock of the pinned request's."""
        control, lease = self.testbed.control, self.testbed.lease.id
        found = await control.call("pin.waiters", lease=lease, replica=HOME)
        pids = {one.pid for one in await self.testbed.sessions(replica)}
        waiters = (Waiter.model_validate(one) for one in found)
        return [waiter for waiter in waiters if waiter.pid in pids]

    async def _resting(self, replica: int) -> bool:
        control, lease = self.testbed.control, self.testbed.lease.id
        given = {"pinned": HOME, "replica": replica}
        return bool(await control.call("pin.resting", lease=lease, **given))

    async def _shapes(
        self, replica: int, request: Callable[[], Awaitable[Answer]]
    ) -> frozenset[str]:
        """The statements that a request sends."""
        since = (await self.testbed.count(replica)).statements
        await request()
        return frozenset(await self._sent_since(replica, since))

    async def _sent_since(
        self, replica: int, since: int, usual: frozenset[str] = frozenset()
    ) -> Counter[str]:
        """How often a replica has sent each statement, but for what is usual."""
        control, lease = self.testbed.control, self.testbed.lease
        statements = await control.sql_statements(lease, replica, since=since)
        shapes = (understand(one.text).shape for one in statements)
        return Counter(shape for shape in shapes if shape not in usual)

    async def ended(self) -> list[Answer]:
        """Let it go on, and wait for its answer and for all that were sent meanwhile."""
        control, lease = self.testbed.control, self.testbed.lease.id
        self.broken = (await control.call("pin.release", lease=lease, replica=HOME))["broken"]
        return list(await asyncio.gather(self.sent, *self._others))


@asynccontextmanager
async def worker_held(testbed: Testbed, shape: str) -> AsyncIterator[asyncio.Task[bool]]:
    """Hold the worker before the next statement of that shape, while all else goes on.

    Gives what ends when it stands there: false where it does not come to it. It is let go at the
    end.
    """
    control, given = testbed.control, {"lease": testbed.lease.id, "replica": "worker"}
    place = Place(thread=0, shape=shape)
    await control.call("pin.begin", **given, place=place.model_dump())
    standing = asyncio.create_task(control.call("pin.reached", **given))
    try:
        yield standing
    finally:
        standing.cancel()
        await control.call("pin.release", **given)


async def _sent(send: Send, replica: int) -> Answer:
    return await send(replica)


@asynccontextmanager
async def pinned(testbed: Testbed, request: Send, place: Place) -> AsyncIterator[PinnedRequest]:
    """Send a request, and hold it before a step of its own.

    It is let go, and followed up until it is carried out, at the end. Raises ``Inconclusive`` where
    it does not come to that step.
    """
    control, lease = testbed.control, testbed.lease.id
    await control.call("pin.begin", lease=lease, replica=HOME, place=place.model_dump())
    sent = asyncio.create_task(_sent(request, HOME))
    pin = PinnedRequest(testbed, place, sent)
    try:
        reaching = asyncio.create_task(control.call("pin.reached", lease=lease, replica=HOME))
        await asyncio.wait([reaching, sent], return_when=asyncio.FIRST_COMPLETED)
        if not reaching.done() or not reaching.result():
            reaching.cancel()
            raise Inconclusive(f"A request did not come to {brief(place.shape)} again.")
        current()[1].step("request 1", f"is held before: {brief(place.shape)}")
        yield pin
    finally:
        answers = await pin.ended()
    (settled,) = await follow_up(answers[:1], [partial(request, HOME)])
    if not settled.ok:
        raise Broken(f"{settled}, after it was held for a moment.")
