"""Quotes over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response

from payments.access.callers import Operator, Viewer
from payments.dependencies import ContextOf, Uow
from payments.fx.client import unavailable
from payments.idempotency import service as idempotency
from payments.idempotency.requests import MerchantKey
from payments.kit import clock
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, MOVING, READING, WRITING, not_found, refusals
from payments.quotes import service
from payments.quotes.repository import NEWEST_FIRST, QuoteRepository
from payments.quotes.schemas import QuoteCreate, QuoteExecute, QuoteOut

router = APIRouter(prefix="/v1/quotes", tags=["quotes"])

QuoteId = Annotated[str, path_id("qt")]


@router.post("", status_code=201, responses=refusals(*WRITING, 404))
async def create_quote(
    caller: Operator, body: QuoteCreate, context: ContextOf, uow: Uow
) -> QuoteOut:
    """Price a conversion."""
    async with uow:
        belief = await service.belief(uow.session, caller, body, context.settings)

    rate = await context.fx.rate(belief.base, belief.quote)
    if doubt := belief.doubt(rate):
        raise unavailable(doubt)

    async with uow:
        quote, now = await service.make(uow.session, caller, body, rate, context.settings)
    return QuoteOut.of(quote, now)


@router.get("", responses=refusals(*LISTING))
async def list_quotes(
    caller: Viewer,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[QuoteOut]:
    """List the merchant's quotes, newest first."""
    page = Page.of(context.cursors, NEWEST_FIRST, (caller.merchant_id, "quotes"), limit, cursor)
    async with uow:
        rows = await QuoteRepository(uow.session, caller.merchant_id).page(page)
        now = await clock.now(uow.session)
    quotes, next_cursor = page.cut(rows)
    return ListOf(data=[QuoteOut.of(row, now) for row in quotes], next_cursor=next_cursor)


@router.get("/{quote_id}", responses=refusals(*READING, 404))
async def get_quote(caller: Viewer, quote_id: QuoteId, uow: Uow) -> QuoteOut:
    """Show a quote."""
    async with uow:
        quote = await QuoteRepository(uow.session, caller.merchant_id).get(quote_id)
        now = await clock.now(uow.session)
    if quote is None:
        raise not_found()
    return QuoteOut.of(quote, now)


@router.post("/{quote_id}/execute", response_model=QuoteOut, responses=refusals(*MOVING))
async def execute_quote(
    caller: Operator,
    quote_id: QuoteId,
    key: MerchantKey,
    uow: Uow,
    body: QuoteExecute | None = None,
) -> Response:
    """Convert at the quoted price."""
    async with uow:
        claim = await idempotency.claim(uow.session, key)
        if claim.answer is not None:
            return claim.answer.replay()

        quote, now = await service.execute(uow.session, caller, quote_id)
        return await idempotency.answer(uow.session, key, 200, QuoteOut.of(quote, now))
