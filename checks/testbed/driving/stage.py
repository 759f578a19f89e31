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
        self._pins: dict[Replica, Pin] = {}

    async def begin(self, schedule: Schedule, replicas: Sequence[int]) -> None:
        """Close the gates around these replicas, a thread each, and around every other process;
        around no other where the power is to be cut.

        Raises ``TestbedError`` where a run is under way.
        """
        self._free()
        if self._pins:
            raise TestbedError("A process of this testbed is held already.")
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
        """Hold what a process does next before that step, and nothing else; one pin a process.

        Raises ``TestbedError`` where a run is under way, or the process is pinned already.
        """
        self._free()
        if replica in self._pins:
            raise TestbedError("This process is held already.")
        field = Field([self._process(replica)], await self._watching(), self._began)
        self._pins[replica] = await Pin.begin(field, place)

    async def pinned(self, replica: Replica) -> bool:
        """Wait until it stands there; false where it does not come to it."""
        return await self._pinned(replica).reached()

    async def waiters(self, replica: Replica) -> list[Waiter]:
        """Who waits for a lock that is held where a process is pinned."""
        try:
            return await self._pinned(replica).waiters()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MachineError(f"The database could not be watched: {error}.") from error

    async def resting(self, pinned: Replica, replica: Replica) -> bool:
        """Whether a process does nothing now, but for what is ``pinned``, there or elsewhere."""
        return await self._pinned(pinned).resting(self._process(replica))

    def unpin(self, replica: Replica) -> str:
        """Let what is pinned go on; gives what happened because it was held, if anything."""
        pin = self._pins.pop(replica, None)
        if pin is None:
            return ""
        broken = pin.broken
        pin.release()
        return broken

    def _pinned(self, replica: Replica) -> Pin:
        if replica not in self._pins:
            raise TestbedError("Nothing is pinned there.")
        return self._pins[replica]

    def _process(self, replica: Replica) -> Process:
        if replica not in self._processes:
            raise TestbedError("There is no such replica.")
        return self._processes[replica]

    def _free(self) -> None:
        if self._driver is not None:
            raise TestbedError("This testbed is being driven already.")

    async def abandon(self) -> None:
        """Let everything through; harmless when no run is under way."""
        for replica in tuple(self._pins):
            self.unpin(replica)
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
