"""Work that the database keeps, and that several copies of a worker share among them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import seconds_from_now
from payments.kit.logging import logger


class Claimable:
    """What a row of work has: until ``claimed_until`` somebody is at it, and looks from ``due_at``
    on."""

    id: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]


async def claim(
    session: AsyncSession,
    work: type[Claimable],
    which: ColumnElement[bool],
    lease_seconds: float,
    *,
    limit: int,
) -> Sequence[str]:
    """Be the one who is at some of this work, the longest due first; the ids of what was free."""
    free = work.claimed_until.is_(None) | (work.claimed_until <= func.clock_timestamp())
    chosen = (
        select(work.id)
        .where(which, free)
        .order_by(work.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = await session.scalars(
        update(work)
        .where(work.id.in_(chosen.scalar_subquery()))
        .values(claimed_until=seconds_from_now(lease_seconds))
        .returning(work.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.all()


async def side_by_side(
    do: Callable[[str], Awaitable[None]], claimed: Sequence[str], failure: str
) -> None:
    """Do all that was claimed at once; what fails is logged under a name, and left to the next."""
    results = await asyncio.gather(*(do(one) for one in claimed), return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            logger().error(failure, exc_info=result)
