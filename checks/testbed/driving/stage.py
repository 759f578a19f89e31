"""A testbed's stage: where its runs are driven, one at a time.

In the process that runs the testbed it is what exploring takes (``checks.ground.Driving``); a check
reaches it through the broker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from checks.testbed.control import Replica
from checks.testbed.driving.driver import Driver
from checks.testbed.driving.pin import Pin, Waiter
from checks.testbed.driving.schedule import Interleaving, Place, Schedule
from checks.testbed.driving.threads import Field, Process
from checks.testbed.errors import MachineError, TestbedError


class Stage:
    """``observer`` opens a connection past the proxy; ``processes`` are the testbed's.

    ``began`` is the loop's time that times count from. ``close`` it in the end.
    """

    def __init__(
        self,
        observer: str,
        processes: Mapping[Replica, Process],
        began: float,
    ) -> None:
        self._observer = observer
        self._processes = processes
        self._began = began
        self._watcher: asyncpg.Connection[Any] | None = None
        self._driver: Driver | None = None
        self._pin: Pin | None = None

    async def begin(self, schedule: Schedule, replicas: Sequence[int]) -> None:
        """Close the gates around these replicas, a thread each, and around every other process;
        around no other where the power is to be cut.

        Raises ``TestbedError`` where a run is under way.
        """
        self._free()
        unknown = [number for number in replicas if number not in self._processes]
        if unknown or not 0 <= schedule.first < len(replicas):
            raise TestbedError("The schedule names a replica or a thread that there is not.")
        others = [one for which, one in self._processes.items() if which not in replicas]
        field = Field(
            replicas=[self._processes[number] for number in replicas],
            idle=[] if schedule.cut else others,
            watcher=await self._watching(),
            began=self._began,
        )
        self._driver = await Driver.begin(field, schedule)

    async def answered(self, thread: int, said: str) -> None:
        """A thread's request was answered; harmless when its run has ended."""
        if self._driver is not None:
            self._driver.answered(thread, said)

    async def drive(self) -> Interleaving:
        """Take the run to its end. Raises ``TestbedError`` where none was begun."""
        if self._driver is None:
            raise TestbedError("No run was begun.")
        try:
            return await self._driver.drive()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MachineError(f"The database could not be watched: {error}.") from error
        finally:
            self._driver = None

    async def pin(self, replica: Replica, place: Place) -> None:
        """Hold the next request of a replica's before that step, and others never.

        Raises ``TestbedError`` where a run is under way.
        """
        self._free()
        field = Field([self._process(replica)], await self._watching(), self._began)
        self._pin = await Pin.begin(field, place)

    async def pinned(self) -> bool:
        """Wait until the request stands there; false where it does not come to it."""
        return await self._pinned().reached()

    async def waiters(self) -> list[Waiter]:
        """Who waits for a lock that the pinned request holds."""
        try:
            return await self._pinned().waiters()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MachineError(f"The database could not be watched: {error}.") from error

    async def resting(self, replica: Replica) -> bool:
        """Whether a replica does nothing now, but for the pinned request."""
        return await self._pinned().resting(self._process(replica))

    def unpin(self) -> str:
        """Let the pinned request go on; gives what happened because it was held, if anything."""
        if self._pin is None:
            return ""
        pin, self._pin = self._pin, None
        broken = pin.broken
        pin.release()
        return broken

    def _pinned(self) -> Pin:
        if self._pin is None:
            raise TestbedError("No request is pinned.")
        return self._pin

    def _process(self, replica: Replica) -> Process:
        if replica not in self._processes:
            raise TestbedError("There is no such replica.")
        return self._processes[replica]

    def _free(self) -> None:
        if self._driver is not None or self._pin is not None:
            raise TestbedError("This testbed is being driven already.")

    async def abandon(self) -> None:
        """Let everything through; harmless when no run is under way."""
        self.unpin()
        if self._driver is not None:
            self._driver.leave()
            self._driver = None

    async def close(self) -> None:
        """End what it holds."""
        await self.abandon()
        if self._watcher is not None:
            with suppress(OSError, asyncpg.InterfaceError):
                self._watcher.terminate()

    async def _watching(self) -> asyncpg.Connection[Any]:
        if self._watcher is None or self._watcher.is_closed():
            try:
                self._watcher = await asyncpg.connect(
                    self._observer, server_settings={"application_name": ""}
                )
            except (OSError, asyncpg.PostgresError) as error:
                raise MachineError(f"The database could not be watched: {error}.") from error
        return self._watcher
