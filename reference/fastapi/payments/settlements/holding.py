"""Being the one who is at a day's settlement, through many transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.dependencies import Context
from payments.kit.database import BusyError
from payments.settlements import repository
from payments.settlements.models import Settlement

LEASE_SECONDS = 15.0
"""Longer than asking for a file takes, and each step after it; a holder that dies is waited for."""


class OutlivedError(BusyError):
    """Somebody else is at it: the claim was outlived."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a holder's."""

    session: AsyncSession
    settlement: Settlement


class Holder:
    """Who is at a day's settlement ``until`` a moment, and for longer with each step."""

    def __init__(self, context: Context, day: str, until: datetime | None) -> None:
        self.context = context
        self.day = day
        self._until = until

    @asynccontextmanager
    async def step(self, *, last: bool = False) -> AsyncIterator[Step]:
        """One transaction, in which nobody else changes the settlement; the ``last`` lets go of it.

        Raises:
            OutlivedError: the claim is somebody else's by now, and nothing was done.
        """
        async with self.context.database.unit_of_work() as uow:
            settlement = await repository.lock(uow.session, self.day)
            if settlement is None or settlement.claimed_until != self._until:
                raise OutlivedError(self.day)
            yield Step(uow.session, settlement)
            if last:
                settlement.claimed_until = None
            await uow.session.flush()
            if not last:
                self._until = await repository.renew(uow.session, self.day, LEASE_SECONDS)
