"""Settlements in the database, who is at them, and the rows of their files."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from payments.kit import clock
from payments.kit.claims import claim
from payments.kit.database import seconds_from_now
from payments.kit.pagination import Order, Page
from payments.operations.models import Operation, OperationStatus
from payments.psp.settlements import Movement, Total
from payments.settlements.books import MOVING
from payments.settlements.models import (
    HELD,
    Settlement,
    SettlementRow,
    SettlementStatus,
    SettlementTotal,
)

LAST_DAY_FIRST = Order((Settlement.id,), descending=True)

DAYS_BACK = 31
"""A file that is older than so many days is asked for by the administrator, or not at all."""


async def get(session: AsyncSession, day: str) -> Settlement | None:
    """A day's settlement with its totals."""
    return await session.scalar(
        select(Settlement).where(Settlement.id == day).options(selectinload(Settlement.totals))
    )


async def page(session: AsyncSession, wanted: Page) -> Sequence[Settlement]:
    """The settlements of a page, and one more if another page follows."""
    rows = select(Settlement).options(selectinload(Settlement.totals))
    return (await session.scalars(wanted.of_rows(rows))).all()


async def plan(session: AsyncSession, after_seconds: float) -> None:
    """Await the file of each day that is over, from the one before money was first moved on.

    ``after_seconds`` after its end it is time to ask.
    """
    moved = select(func.min(Operation.settled_at)).where(
        Operation.status == OperationStatus.SUCCEEDED.value, Operation.type.in_(MOVING)
    )
    first = (await session.execute(moved)).scalar_one()
    if first is None:
        return
    begun = first.astimezone(UTC).date() - timedelta(days=1)
    over = (await clock.now(session)).astimezone(UTC) - timedelta(seconds=after_seconds)
    days = [over.date() - timedelta(days=number) for number in range(1, DAYS_BACK + 1)]
    wanted = {day.isoformat() for day in days if day >= begun}
    known = await session.scalars(select(Settlement.id).where(Settlement.id.in_(wanted)))
    for day in sorted(wanted.difference(known)):
        await begin(session, day)


async def begin(session: AsyncSession, day: str) -> None:
    """Await a day's file from now on, unless it is awaited already."""
    await session.execute(
        upsert(Settlement)
        .values(
            id=day,
            status=SettlementStatus.AWAITED.value,
            comparisons=0,
            movements=0,
            differences=0,
            resolved=0,
            passes=0,
            due_at=func.clock_timestamp(),
            created_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
    )


async def claim_due(session: AsyncSession, lease_seconds: float, limit: int) -> Sequence[str]:
    """Be the one who looks at some that it is time to look at."""
    which = Settlement.due_at <= func.clock_timestamp()
    return await claim(session, Settlement, which, lease_seconds, limit=limit)


async def claim_one(session: AsyncSession, day: str, lease_seconds: float) -> bool:
    """Be the one who looks at a day's, if nobody else is."""
    return bool(await claim(session, Settlement, Settlement.id == day, lease_seconds, limit=1))


async def lock(session: AsyncSession, day: str) -> Settlement | None:
    """A settlement that nobody else changes meanwhile; differences may refer to it."""
    return await session.scalar(
        select(Settlement).where(Settlement.id == day).with_for_update(key_share=True)
    )


async def renew(session: AsyncSession, day: str, lease_seconds: float) -> datetime | None:
    """Be the one who is at it for another while; until when."""
    renewed = await session.execute(
        update(Settlement)
        .where(Settlement.id == day)
        .values(claimed_until=seconds_from_now(lease_seconds))
        .returning(Settlement.claimed_until)
        .execution_options(synchronize_session=False)
    )
    return renewed.scalar_one()


async def forget_rows(session: AsyncSession, day: str, limit: int) -> bool:
    """Forget some rows of a file that is replaced; whether there may be more."""
    some = (
        select(SettlementRow.line)
        .where(SettlementRow.settlement_id == day)
        .order_by(SettlementRow.line)
        .limit(limit)
    )
    forgotten = await session.scalars(
        delete(SettlementRow)
        .where(SettlementRow.settlement_id == day, SettlementRow.line.in_(some))
        .returning(SettlementRow.line)
        .execution_options(synchronize_session=False)
    )
    return len(forgotten.all()) == limit


async def add_rows(
    session: AsyncSession, day: str, movements: Sequence[Movement], occurrences: Counter[str]
) -> None:
    """Keep some movements of a file, and go on counting the rows of each reference."""
    rows = []
    for movement in movements:
        occurrences[movement.reference] += 1
        occurrence = occurrences[movement.reference]
        rows.append({"settlement_id": day, "occurrence": occurrence, **asdict(movement)})
    await session.execute(insert(SettlementRow), rows)


async def replace_totals(session: AsyncSession, day: str, totals: Sequence[Total]) -> None:
    """Keep what a file says of all its movements."""
    await session.execute(delete(SettlementTotal).where(SettlementTotal.settlement_id == day))
    if totals:
        rows = [{"settlement_id": day, **asdict(total)} for total in totals]
        await session.execute(insert(SettlementTotal), rows)


async def rows_after(
    session: AsyncSession, day: str, line: int, limit: int
) -> Sequence[SettlementRow]:
    """Some rows of a file, after a line."""
    rows = await session.scalars(
        select(SettlementRow)
        .where(SettlementRow.settlement_id == day, SettlementRow.line > line)
        .order_by(SettlementRow.line)
        .limit(limit)
    )
    return rows.all()


async def days_of(
    session: AsyncSession, references: Collection[str], but: str
) -> dict[str, set[str]]:
    """The other days whose files tell of these references."""
    told = await session.execute(
        select(SettlementRow.reference, SettlementRow.settlement_id)
        .where(SettlementRow.reference.in_(references), SettlementRow.settlement_id != but)
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for reference, day in told:
        found.setdefault(reference, set()).add(day)
    return found


async def held_among(session: AsyncSession, days: Collection[str]) -> set[str]:
    """Those of these days whose files are held whole."""
    found = await session.scalars(
        select(Settlement.id).where(Settlement.id.in_(days), Settlement.status.in_(HELD))
    )
    return set(found)


async def look_again_after(session: AsyncSession, day: date) -> None:
    """Have later days compared again: a file that came late may hold what they lack."""
    until = day + timedelta(days=DAYS_BACK)
    await session.execute(
        update(Settlement)
        .where(
            Settlement.id > day.isoformat(),
            Settlement.id <= until.isoformat(),
            Settlement.status == SettlementStatus.COMPARED.value,
            Settlement.due_at.is_(None),
        )
        .values(due_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
