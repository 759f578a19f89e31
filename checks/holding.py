"""What the service holds of the database while it waits for an outside party (contract 6.25).

The meter's part for connections. That a session is inside a transaction is seen at the SQL proxy,
and is no guess. A connection that a request keeps for itself without one looks like any that idles
in a pool, even with an advisory lock on it, which a process may keep on one session for all: these
are told apart by having more calls wait than there are connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from checks.attachment import Testbed
from checks.testbed.control import Replica

#: Seconds after which what was begun before a call, and is still there, is held during it. Short
#: transactions of others', such as one that renews a lease, end within milliseconds.
PATIENCE = 1.5

_INTERVAL = 0.02


@dataclass(frozen=True, slots=True)
class Hold:
    """A transaction that is open in a session ``since`` a time of the testbed's."""

    where: Replica
    session: int
    since: float

    def __str__(self) -> str:
        owner = "the worker" if self.where == "worker" else f"replica {self.where}"
        return f"a transaction of {owner}'s session {self.session}"


Holds = frozenset[Hold]


@dataclass(frozen=True, slots=True)
class Lasting:
    """What lasted; not ``certain`` where it went away at the moment in which the call ended too."""

    holds: Holds
    certain: bool

    def __str__(self) -> str:
        return " and ".join(sorted(map(str, self.holds)))


async def now(testbed: Testbed) -> Holds:
    """All transactions that are open at this moment."""
    places: tuple[Replica, ...] = (*testbed.replicas, "worker")
    sessions = {where: await testbed.sessions(where) for where in places}
    return frozenset(
        Hold(where, one.session, one.since)
        for where, found in sessions.items()
        for one in found
        if one.since is not None
    )


async def lasting(
    testbed: Testbed, before: Holds, under_way: Callable[[], Awaitable[bool]]
) -> Lasting:
    """What was begun after ``before`` and lasts for ``PATIENCE``, or as long as the call does.

    Nothing, as soon as it is all gone while the call is still ``under_way``.
    """
    loop = asyncio.get_running_loop()
    held, deadline = await now(testbed) - before, loop.time() + PATIENCE
    while held and loop.time() < deadline:
        await asyncio.sleep(_INTERVAL)
        left = held & await now(testbed)
        if not left and not await under_way():
            return Lasting(held, certain=False)
        held = left
    return Lasting(held, certain=True)
