"""Settlements over HTTP: the platform administrator's."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from payments.access.callers import Admin
from payments.dependencies import ContextOf, Uow
from payments.kit.database import UnitOfWork
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, READING, WRITING, not_found, refusals
from payments.settlements import differences, repository, service
from payments.settlements.models import DifferenceStatus
from payments.settlements.schemas import Day, DifferenceOut, SettlementFetch, SettlementOut

router = APIRouter(prefix="/v1/settlements", tags=["settlements"])

SettlementDay = Annotated[Day, Path(alias="date", pattern=r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}$")]


@router.get("", responses=refusals(*LISTING))
async def list_settlements(
    _: Admin, context: ContextOf, uow: Uow, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> ListOf[SettlementOut]:
    """List the days whose files were asked for or are awaited, the last one first."""
    page = Page.of(
        context.cursors, repository.LAST_DAY_FIRST, ("platform", "settlements"), limit, cursor
    )
    async with uow:
        rows = await repository.page(uow.session, page)
    settlements, next_cursor = page.cut(rows)
    return ListOf(data=[SettlementOut.of(row) for row in settlements], next_cursor=next_cursor)


@router.get("/{date}", responses=refusals(*READING, 404))
async def get_settlement(_: Admin, day: SettlementDay, uow: Uow) -> SettlementOut:
    """Show a day's settlement."""
    return await _shown(uow, day)


@router.get("/{date}/differences", responses=refusals(*LISTING, 404))
async def list_differences(
    _: Admin,
    day: SettlementDay,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    status: Annotated[DifferenceStatus | None, Query()] = None,
) -> ListOf[DifferenceOut]:
    """List how a day's file and our books differ, newest first."""
    scope = ("platform", "differences", day, status or "")
    page = Page.of(context.cursors, differences.NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        if await repository.get(uow.session, day) is None:
            raise not_found()
        rows = await differences.page(uow.session, page, day, status)
    found, next_cursor = page.cut(rows)
    return ListOf(data=[DifferenceOut.of(row) for row in found], next_cursor=next_cursor)


@router.post("/{date}/fetch", responses=refusals(*WRITING, 404, 409))
async def fetch_settlement(
    _: Admin,
    day: SettlementDay,
    context: ContextOf,
    uow: Uow,
    body: SettlementFetch | None = None,
) -> SettlementOut:
    """Ask for a day's file now, and compare it."""
    await service.fetch(context, day)
    return await _shown(uow, day)


async def _shown(uow: UnitOfWork, day: str) -> SettlementOut:
    async with uow:
        settlement = await repository.get(uow.session, day)
    if settlement is None:
        raise not_found()
    return SettlementOut.of(settlement)
