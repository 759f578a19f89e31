"""The testbeds of one submission that can be lent: one shared, and exclusive ones as asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from checks.testbed.control import Ending
from checks.testbed.lease import REPLICAS, SHARED_SETTINGS
from checks.testbed.testbed import Submission, Testbed


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a testbed is to have: a worker, settings of its own, so many replicas."""

    worker: bool
    settings: Mapping[str, str]
    replicas: int = REPLICAS


class _Running:
    """A testbed in a task of its own, so that whoever asks may go away while it starts or ends."""

    def __init__(self, submission: Submission, wanted: Wanted) -> None:
        self._started: asyncio.Future[Testbed] = asyncio.get_running_loop().create_future()
        self._ending = asyncio.Event()
        self._life = asyncio.create_task(self._live(submission, wanted))

    async def ready(self) -> Testbed:
        """The testbed once it is ready; raises what starting it raised."""
        return await asyncio.shield(self._started)

    def endings(self) -> tuple[Ending, ...]:
        """The processes that have ended of their own accord, once it was ready."""
        if not self._started.done() or self._started.cancelled() or self._started.exception():
            return ()
        return self._started.result().endings()

    async def end(self) -> None:
        """End it, ready or not, and wait until all of it is gone."""
        self._ending.set()
        if not self._started.done():
            self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)

    async def _live(self, submission: Submission, wanted: Wanted) -> None:
        try:
            async with submission.testbed(
                settings=wanted.settings, worker=wanted.worker, replicas=wanted.replicas
            ) as testbed:
                if not self._started.done():
                    self._started.set_result(testbed)
                await self._ending.wait()
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
                # Nobody may have been waiting for it.
                self._started.exception()
            if isinstance(error, asyncio.CancelledError):
                raise


class Pool:
    """Starts, lends and ends testbeds; made by ``Pool.open``."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        self._shared: _Running | None = None
        self._lent: dict[str, _Running] = {}
        self._endings: list[Ending] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, submission: Submission) -> AsyncIterator[Self]:
        """Every testbed is ended with the block."""
        pool = cls(submission)
        try:
            yield pool
        finally:
            everything = [*pool._lent.values()]
            everything += [pool._shared] if pool._shared else []
            await asyncio.gather(*(running.end() for running in everything))

    async def shared(self) -> Testbed:
        """The shared testbed, with a worker; started when first asked for."""
        if self._shared is None:
            self._shared = _Running(self._submission, Wanted(True, SHARED_SETTINGS))
        return await self._shared.ready()

    async def take(self, name: str, wanted: Wanted) -> Testbed:
        """An exclusive testbed, to be given back by that name."""
        running = _Running(self._submission, wanted)
        self._lent[name] = running
        try:
            return await running.ready()
        except BaseException:
            await self.give_back(name)
            raise

    async def give_back(self, name: str) -> None:
        """End an exclusive testbed; one that is not lent is passed over."""
        running = self._lent.pop(name, None)
        if running is not None:
            self._endings += running.endings()
            await running.end()

    def endings(self) -> tuple[Ending, ...]:
        """The processes that have ended of their own accord, in testbeds given back as well."""
        there = [self._shared] if self._shared else []
        return (
            *self._endings,
            *(ending for running in (*there, *self._lent.values()) for ending in running.endings()),
        )
