"""Differences in the database: listed once, however often they are found."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, Update, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from payments.kit.ids import new_id
from payments.kit.pagination import Order, Page
from payments.settlements.comparison import Found
from payments.settlements.models import (
    Difference,
    DifferenceKind,
    DifferenceStatus,
    Settlement,
    SettlementRow,
)
from payments.settlements.schemas import OursOut, TheirsOut

NEWEST_FIRST = Order((Difference.created_at, Difference.id), descending=True)


async def page(
    session: AsyncSession, wanted: Page, day: str, status: DifferenceStatus | None
) -> Sequence[Difference]:
    """The differences of a page, of one day, and one more if another page follows."""
    rows = select(Difference).where(Difference.settlement_id == day)
    if status is not None:
        is_open = Difference.resolved_at.is_(None)
        rows = rows.where(is_open if status is DifferenceStatus.OPEN else ~is_open)
    return (await session.scalars(wanted.of_rows(rows))).all()


async def note(session: AsyncSession, found: Sequence[Found], comparison: int) -> None:
    """List what a comparison found: what is listed already is not listed again."""
    if not found:
        return
    statement = upsert(Difference).values(
        [
            {
                "id": new_id("dif"),
                "settlement_id": one.day,
                "kind": one.kind.value,
                "reference": one.reference,
                "occurrence": one.occurrence,
                "theirs": TheirsOut.of(one.row).model_dump(mode="json") if one.row else None,
                "ours": OursOut.of(one.booked).model_dump(mode="json") if one.booked else None,
                "seen": comparison,
                "created_at": func.clock_timestamp(),
            }
            for one in found
        ]
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["settlement_id", "reference", "occurrence", "kind"],
            set_={
                "theirs": statement.excluded.theirs,
                "ours": statement.excluded.ours,
                "seen": statement.excluded.seen,
                "resolved_at": None,
            },
        )
    )


async def resolve(session: AsyncSession, settlement: Settlement) -> set[str]:
    """Mark what this comparison did not find again; the other days that this concerns.

    What was missing anywhere, and this file tells, is missing no more.
    """
    rows = _resolved().where(
        Difference.settlement_id == settlement.id,
        Difference.kind != DifferenceKind.MISSING.value,
        Difference.seen < settlement.comparisons,
    )
    await session.execute(rows)
    told = select(SettlementRow.reference).where(SettlementRow.settlement_id == settlement.id)
    found = await session.scalars(
        _resolved()
        .where(
            Difference.kind == DifferenceKind.MISSING.value,
            Difference.reference.in_(told),
        )
        .returning(Difference.settlement_id)
    )
    return set(found) - {settlement.id}


def _resolved() -> Update:
    return (
        update(Difference)
        .where(Difference.resolved_at.is_(None))
        .values(resolved_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


async def has_unsettled(session: AsyncSession, day: str) -> bool:
    """Whether the end of something that a day's file tells is not known here yet."""
    found = await session.scalar(
        select(Difference.id)
        .where(
            Difference.settlement_id == day,
            Difference.kind == DifferenceKind.UNSETTLED.value,
            Difference.resolved_at.is_(None),
        )
        .limit(1)
    )
    return found is not None


async def recount(session: AsyncSession, day: str) -> None:
    """Count a day's differences."""

    def count(which: ColumnElement[bool]) -> ScalarSelect[int]:
        return (
            select(func.count())
            .select_from(Difference)
            .where(Difference.settlement_id == day, which)
            .scalar_subquery()
        )

    await session.execute(
        update(Settlement)
        .where(Settlement.id == day)
        .values(
            differences=count(Difference.resolved_at.is_(None)),
            resolved=count(Difference.resolved_at.is_not(None)),
        )
        .execution_options(synchronize_session=False)
    )
