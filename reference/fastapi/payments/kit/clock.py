"""The time, by the clock that all replicas share."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession


async def now(session: AsyncSession) -> datetime:
    """The moment by the database's clock; unlike SQL's ``now``, it goes on inside a transaction."""
    moment: datetime = (await session.execute(func.clock_timestamp().select())).scalar_one()
    return moment
