"""Asking the PSP for its settlement files, each once, and again where that brought none."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from sqlalchemy.exc import DBAPIError

from payments.dependencies import Context
from payments.kit import clock
from payments.kit.claims import side_by_side
from payments.kit.database import BusyError
from payments.kit.logging import logger
from payments.kit.problems import RETRY_SECONDS, Problem
from payments.psp.settlements import (
    MalformedFileError,
    Movement,
    NoFileError,
    SettlementFile,
    Total,
)
from payments.settlements import repository
from payments.settlements.holding import LEASE_SECONDS, Holder
from payments.settlements.looks import in_vain, needs_file
from payments.settlements.matching import compare
from payments.settlements.models import Settlement, SettlementStatus

AT_ONCE = 2
BATCH = 500


async def of_due(context: Context) -> int:
    """Look at some days that are due, those of other copies left out; how many it were."""
    uow = context.database.unit_of_work()
    async with uow:
        await repository.plan(uow.session, context.settings.settlement_after_seconds)
        claimed = await repository.claim_due(uow.session, LEASE_SECONDS, AT_ONCE)
    await side_by_side(partial(_look, context), claimed, "settlement_failed")
    return len(claimed)


async def fetch(context: Context, day: str) -> None:
    """Ask for a day's file now.

    Raises:
        Problem: 422 ``future_date``; 409 ``fetch_in_progress``.
    """
    uow = context.database.unit_of_work()
    async with uow:
        today = (await clock.now(uow.session)).astimezone(UTC).date()
        if day > today.isoformat():
            raise Problem(422, "future_date", "The day has not begun.")
        await repository.begin(uow.session, day)
        claimed = await repository.claim_one(uow.session, day, LEASE_SECONDS)
        settlement = await repository.get(uow.session, day)
    if settlement is None or not claimed:
        raise Problem(
            409,
            "fetch_in_progress",
            "The day's file is being asked for or compared.",
            retry_after=RETRY_SECONDS,
        )
    async with _hold(context, settlement) as holder:
        await _bring(holder)


async def _look(context: Context, day: str) -> None:
    """Bring the file of a claimed day, or compare again the one that is held."""
    async with context.database.unit_of_work() as uow:
        settlement = await repository.get(uow.session, day)
    if settlement is None:
        raise LookupError("a settlement that was claimed is gone")
    async with _hold(context, settlement) as holder:
        if needs_file(settlement):
            await _bring(holder)
        else:
            await compare(holder)


@asynccontextmanager
async def _hold(context: Context, settlement: Settlement) -> AsyncIterator[Holder]:
    """Hold a claimed day; it is let go at once if something fails."""
    holder = Holder(context, settlement.id, settlement.claimed_until)
    try:
        yield holder
    except Exception:
        with suppress(BusyError, DBAPIError):
            async with holder.step(last=True):
                pass
        raise


async def _bring(holder: Holder) -> None:
    """Ask for a day's file; a whole one is kept and compared, any other changes nothing."""
    async with holder.step() as step:
        day, asked_at = step.settlement.day, await clock.now(step.session)
    try:
        file = await SettlementFile.ask(holder.context.psp, day)
        totals = await asyncio.to_thread(file.totals)
    except NoFileError as error:
        await _note_failure(holder, SettlementStatus.AWAITED, str(error), None)
        return
    except MalformedFileError as error:
        await _note_failure(holder, SettlementStatus.MALFORMED, error.reason, error.line)
        return
    await _keep(holder, file, totals, asked_at)
    await compare(holder)
    async with holder.context.database.unit_of_work() as uow:
        await repository.look_again_after(uow.session, day)


async def _note_failure(
    holder: Holder, status: SettlementStatus, reason: str, line: int | None
) -> None:
    async with holder.step(last=True) as step:
        settlement = step.settlement
        settlement.failure, settlement.failure_line = reason, line
        if needs_file(settlement):
            now = await clock.now(step.session)
            settlement.due_at = in_vain(settlement, holder.context.settings, now)
            settlement.passes += 1
        if settlement.asked_at is None:
            settlement.status = status.value
    logger().warning("settlement_file_refused", day=holder.day, line=line, reason=reason)


async def _keep(
    holder: Holder, file: SettlementFile, totals: list[Total], asked_at: datetime
) -> None:
    """Put a file in the place of the one that was held, step by step.

    Whoever finds this half done asks for the file again.
    """
    more = True
    while more:
        async with holder.step() as step:
            step.settlement.status = SettlementStatus.FETCHING.value
            step.settlement.due_at = asked_at
            more = await repository.forget_rows(step.session, holder.day, BATCH)
    occurrences: Counter[str] = Counter()
    kept = 0
    for batch in _batches(file.movements()):
        async with holder.step() as step:
            await repository.add_rows(step.session, holder.day, batch, occurrences)
        kept += len(batch)
    async with holder.step() as step:
        await repository.replace_totals(step.session, holder.day, totals)
        settlement = step.settlement
        settlement.status = SettlementStatus.COMPARING.value
        settlement.asked_at, settlement.movements = asked_at, kept
        settlement.failure = settlement.failure_line = None


def _batches(movements: Iterator[Movement]) -> Iterator[list[Movement]]:
    while batch := list(islice(movements, BATCH)):
        yield batch
