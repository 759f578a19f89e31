"""What exploring takes of a service: replicas, how they are driven, and a look at the database.

A testbed lent to a check offers it, and so does any service that is run behind the SQL proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import asyncpg

from checks.testbed.driving.schedule import Interleaving, Schedule


class Driving(Protocol):
    """Takes requests through their steps, a replica each: one run at a time."""

    async def begin(self, schedule: Schedule, replicas: Sequence[int]) -> None:
        """Close the gates around these replicas, in the order of the threads."""
        ...

    async def answered(self, thread: int, said: str) -> None:
        """A thread's request has its answer, in a few words."""
        ...

    async def drive(self) -> Interleaving:
        """Take the run to its end."""
        ...

    async def abandon(self) -> None:
        """Let everything through; harmless when no run is under way."""
        ...


class Ground(Protocol):
    """Replicas of one service on one database, each behind its own endpoint of the SQL proxy."""

    @property
    def replicas(self) -> range:
        """The replicas' numbers."""
        ...

    @property
    def driving(self) -> Driving:
        """How they are driven."""
        ...

    def observer(self) -> AbstractAsyncContextManager[asyncpg.Connection[Any]]:
        """A connection to the database, past the SQL proxy."""
        ...
