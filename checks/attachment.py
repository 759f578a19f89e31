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


class _Recorded(outside.Outside):
    """What is read of a journal goes into the current probe."""

    async def journal(
        self, token: str | None = None, *, since: int = 0
    ) -> tuple[JournalEntry, ...]:
        """What it was asked (about one thing), in order."""
        return _recorded(await super().journal(token, since=since))

    async def wait(
        self, token: str | None, entries: int, seconds: float
    ) -> tuple[JournalEntry, ...]:
        """The journal as soon as it holds so many entries, or after so many seconds."""
        return _recorded(await super().wait(token, entries, seconds))


class Psp(_Recorded, outside.Psp):
    """The PSP simulator of a testbed."""


class Fx(_Recorded, outside.Fx):
    """The FX simulator of a testbed."""


class Bank(_Recorded, outside.Bank):
    """The bank simulator of a testbed."""


class Notifier(_Recorded, outside.Notifier):
    """The notifier simulator of a testbed."""


class Receiver(_Recorded, outside.Receiver):
    """The receiver simulator of a testbed."""


class Names(_Recorded, outside.Names):
    """The name server simulator of a testbed."""


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
        self.bank = Bank(control, lease)
        self.notifier = Notifier(control, lease)
        self.receiver = Receiver(control, lease)
        self.names = Names(control, lease)
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
