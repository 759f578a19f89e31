"""The testbed as a check holds it: attached through the broker, with all that can be asked of it.

``Testbed`` is one lease: the connections to its replicas, the simulators' script and journal, the
SQL proxy's figures, the observer's view of the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from checks.connections import Connections
from checks.evidence import JournalEntry
from checks.probes import current
from checks.testbed import outside
from checks.testbed.control import Control, Replica, SqlCount, SqlSession
from checks.testbed.driving.schedule import Interleaving, Schedule
from checks.testbed.lease import Lease


class Psp(outside.Psp):
    """The PSP simulator of a testbed; what is read of its journal goes into the current probe."""

    async def journal(self, card: str | None = None, *, since: int = 0) -> tuple[JournalEntry, ...]:
        """What the PSP was asked about a card, in order."""
        return _recorded(await super().journal(card, since=since))

    async def wait(
        self, card: str | None, entries: int, seconds: float
    ) -> tuple[JournalEntry, ...]:
        """The journal of a card as soon as it holds so many entries, or after so many seconds."""
        return _recorded(await super().wait(card, entries, seconds))


class Fx(outside.Fx):
    """The FX simulator of a testbed; what is read of its journal goes into the current probe."""

    async def journal(self, base: str, quote: str) -> tuple[JournalEntry, ...]:
        """What the provider was asked about a pair, in order."""
        return _recorded(await super().journal(base, quote))


def _recorded(entries: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
    current()[1].journal(entries)
    return entries


class Driving:
    """A testbed's runs, driven through the broker (``checks.ground.Driving``)."""

    def __init__(self, control: Control, lease: Lease) -> None:
        self._control = control
        self._lease = lease

    async def begin(self, schedule: Schedule, replicas: Sequence[int]) -> None:
        """Close the gates around these replicas, in the order of the threads."""
        await self._control.call(
            "drive.begin",
            lease=self._lease.id,
            schedule=schedule.model_dump(),
            replicas=list(replicas),
        )

    async def answered(self, thread: int, said: str) -> None:
        """A thread's request has its answer, in a few words."""
        await self._control.call("drive.answered", lease=self._lease.id, thread=thread, said=said)

    async def drive(self) -> Interleaving:
        """Take the run to its end."""
        return Interleaving.model_validate(
            await self._control.call("drive.run", lease=self._lease.id)
        )

    async def abandon(self) -> None:
        """Let everything through; harmless when no run is under way."""
        await self._control.call("drive.abandon", lease=self._lease.id)


class Testbed:
    """A testbed lent to this check, or to all that share it."""

    __test__ = False

    def __init__(self, control: Control, lease: Lease) -> None:
        self.control = control
        self.lease = lease
        self.connections = Connections(lease.replicas)
        self.psp = Psp(control, lease)
        self.fx = Fx(control, lease)
        self.driving = Driving(control, lease)
        #: Set by a check that leaves the testbed as no other should find it.
        self.spoiled = False
        #: The replicas that were killed and not started again.
        self.killed: set[int] = set()

    @property
    def replicas(self) -> range:
        """The replicas' numbers."""
        return range(len(self.lease.replicas))

    async def count(self, replica: Replica) -> SqlCount:
        """How much SQL a replica has sent so far."""
        return await self.control.sql_count(self.lease, replica)

    async def sessions(self, replica: Replica) -> tuple[SqlSession, ...]:
        """The sessions that a replica or the worker has open with the database."""
        return await self.control.sql_sessions(self.lease, replica)

    async def kill(self, replica: int) -> None:
        """End a replica without warning."""
        self.killed.add(replica)
        await self.control.replica_kill(self.lease, replica)

    async def start(self, replica: int) -> None:
        """Start a killed replica again."""
        await self.control.replica_start(self.lease, replica)
        self.killed.discard(replica)

    async def lift(self) -> None:
        """Have every simulator behave again."""
        await self.control.lift(self.lease)

    @asynccontextmanager
    async def observer(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A superuser's connection to the submission's database, past the SQL proxy."""
        connection = await asyncpg.connect(
            self.lease.observer_dsn, server_settings={"application_name": ""}
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close the connections; the lease itself is the borrower's to release."""
        await self.connections.close()
