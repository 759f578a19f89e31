"""Comparing a day's file with our books, both ways, in steps of bounded size."""

from collections.abc import Sequence

from payments.kit import clock
from payments.kit.logging import logger
from payments.settlements import books, differences, repository
from payments.settlements.comparison import Booked, Found, difference
from payments.settlements.holding import Holder, Step
from payments.settlements.looks import expected_at, in_vain, needs_file
from payments.settlements.models import DifferenceKind, SettlementStatus

BATCH = 500


async def compare(holder: Holder) -> None:
    """Compare the rows that are held with our books, and let go of the settlement.

    What an earlier comparison found, and this one does not, is resolved.
    """
    async with holder.step() as step:
        step.settlement.status = SettlementStatus.COMPARING.value
        step.settlement.comparisons += 1
        line = await _compare_rows(step, 0)
    while line is not None:
        async with holder.step() as step:
            line = await _compare_rows(step, line)
    await _look_for_missing(holder)
    async with holder.step(last=True) as step:
        await _finish(step, holder)


async def _compare_rows(step: Step, line: int) -> int | None:
    """Compare some rows after a line; the last one's, or None if there are no more."""
    day = step.settlement.id
    rows = await repository.rows_after(step.session, day, line, BATCH)
    references = {row.reference for row in rows}
    ours = await books.booked(step.session, references)
    elsewhere = await repository.days_of(step.session, references, but=day)
    found = []
    for row in rows:
        booked = ours.get(row.reference)
        kind = difference(row, booked, elsewhere.get(row.reference, ()))
        if kind is not None:
            found.append(Found(day, kind, row, booked))
    await differences.note(step.session, found, step.settlement.comparisons)
    return rows[-1].line if len(rows) == BATCH else None


async def _look_for_missing(holder: Holder) -> None:
    """List what no file tells."""
    after: Booked | None = None
    while True:
        async with holder.step() as step:
            untold = await books.untold(step.session, step.settlement, after, BATCH)
            found = await _missing(step, untold)
            await differences.note(step.session, found, step.settlement.comparisons)
            for day in sorted({one.day for one in found} - {holder.day}):
                await differences.recount(step.session, day)
        if len(untold) < BATCH:
            return
        after = untold[-1]


async def _missing(step: Step, untold: Sequence[Booked]) -> list[Found]:
    """Those that are missing, since the files of all days that could tell of them are there.

    Each is listed with the day on which it ended by our clock.
    """
    days = {day.isoformat() for one in untold for day in one.days()}
    there = await repository.held_among(step.session, days)
    return [
        Found(one.day(), DifferenceKind.MISSING, None, one)
        for one in untold
        if there.issuperset(day.isoformat() for day in one.days())
    ]


async def _finish(step: Step, holder: Holder) -> None:
    """Resolve what was not found again, count what there is, and say when to look next."""
    session, settlement, settings = step.session, step.settlement, holder.context.settings
    others = await differences.resolve(session, settlement)
    settlement.status = SettlementStatus.COMPARED.value
    settlement.due_at = None
    if needs_file(settlement):
        settlement.due_at = expected_at(settlement, settings)
    elif await differences.has_unsettled(session, settlement.id):
        settlement.due_at = in_vain(settlement, settings, await clock.now(session))
        settlement.passes += 1
    else:
        settlement.passes = 0
    await session.flush()
    for day in sorted({settlement.id, *others}):
        await differences.recount(session, day)
    logger().info("settlement_compared", day=settlement.id, movements=settlement.movements)
