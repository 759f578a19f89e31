"""Transfers over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response

from payments.access.callers import Operator, Viewer
from payments.dependencies import ContextOf, Uow
from payments.idempotency import service as idempotency
from payments.idempotency.requests import MerchantKey
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, MOVING, READING, not_found, refusals
from payments.transfers import service
from payments.transfers.repository import NEWEST_FIRST, TransferRepository
from payments.transfers.schemas import ReversalCreate, TransferCreate, TransferOut

router = APIRouter(prefix="/v1/transfers", tags=["transfers"])

TransferId = Annotated[str, path_id("tr")]


@router.post("", status_code=201, response_model=TransferOut, responses=refusals(*MOVING))
async def create_transfer(
    caller: Operator, body: TransferCreate, key: MerchantKey, uow: Uow
) -> Response:
    """Move money to another account."""
    async with uow:
        claim = await idempotency.claim(uow.session, key)
        if claim.answer is not None:
            return claim.answer.replay()

        transfer = await service.transfer(uow.session, caller, body)
        return await idempotency.answer(uow.session, key, 201, TransferOut.of(transfer))


@router.get("", responses=refusals(*LISTING))
async def list_transfers(
    caller: Viewer,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[TransferOut]:
    """List the transfers that concern the merchant, newest first."""
    scope = (caller.merchant_id, "transfers")
    page = Page.of(context.cursors, NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        rows = await TransferRepository(uow.session, caller.merchant_id).page(page)
    transfers, next_cursor = page.cut(rows)
    return ListOf(data=[TransferOut.of(row) for row in transfers], next_cursor=next_cursor)


@router.get("/{transfer_id}", responses=refusals(*READING, 404))
async def get_transfer(caller: Viewer, transfer_id: TransferId, uow: Uow) -> TransferOut:
    """Show a transfer."""
    async with uow:
        transfer = await TransferRepository(uow.session, caller.merchant_id).get(transfer_id)
    if transfer is None:
        raise not_found()
    return TransferOut.of(transfer)


@router.post(
    "/{transfer_id}/reversal",
    status_code=201,
    response_model=TransferOut,
    responses=refusals(*MOVING),
)
async def reverse_transfer(
    caller: Operator,
    transfer_id: TransferId,
    key: MerchantKey,
    uow: Uow,
    body: ReversalCreate | None = None,
) -> Response:
    """Give a transfer back."""
    async with uow:
        claim = await idempotency.claim(uow.session, key)
        if claim.answer is not None:
            return claim.answer.replay()

        transfer = await service.reverse(uow.session, caller, transfer_id)
        return await idempotency.answer(uow.session, key, 201, TransferOut.of(transfer))
