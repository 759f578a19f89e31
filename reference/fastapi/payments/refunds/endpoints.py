"""Refunds over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.callers import Operator, Viewer
from payments.audit import log as audit
from payments.audit.models import Action
from payments.dependencies import ContextOf, Uow
from payments.idempotency.requests import MerchantKey
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import CHARGING, LISTING, READING, not_found, refusals
from payments.operations.execution import ambiguous, execute
from payments.operations.models import Operation
from payments.payments.repository import PaymentRepository
from payments.refunds import service
from payments.refunds.repository import NEWEST_FIRST, RefundRepository
from payments.refunds.schemas import RefundCreate, RefundOut

router = APIRouter(prefix="/v1/payments/{payment_id}/refunds", tags=["refunds"])

PaymentId = Annotated[str, path_id("pay")]
RefundId = Annotated[str, path_id("ref")]


@router.post(
    "",
    status_code=201,
    response_model=RefundOut,
    responses=ambiguous(RefundOut) | refusals(*CHARGING),
)
async def create_refund(
    caller: Operator,
    payment_id: PaymentId,
    body: RefundCreate,
    key: MerchantKey,
    context: ContextOf,
    uow: Uow,
) -> Response:
    """Give captured money back."""

    async def start(session: AsyncSession, attempt: str, lease: float) -> Operation:
        operation = await service.refund(session, caller, payment_id, body, attempt, lease)
        await audit.note(
            session,
            caller,
            Action.REFUND_REQUESTED,
            operation.refund_id or payment_id,
            payment=payment_id,
            amount=body.amount.model_dump(),
        )
        return operation

    return await execute(context, uow, key, start)


@router.get("", responses=refusals(*LISTING, 404))
async def list_refunds(
    caller: Viewer,
    payment_id: PaymentId,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[RefundOut]:
    """List a payment's refunds, newest first."""
    scope = (caller.merchant_id, "refunds", payment_id)
    page = Page.of(context.cursors, NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        if await PaymentRepository(uow.session, caller.merchant_id).get(payment_id) is None:
            raise not_found()
        rows = await RefundRepository(uow.session, caller.merchant_id, payment_id).page(page)
    refunds, next_cursor = page.cut(rows)
    return ListOf(data=[RefundOut.of(refund) for refund in refunds], next_cursor=next_cursor)


@router.get("/{refund_id}", responses=refusals(*READING, 404))
async def get_refund(
    caller: Viewer, payment_id: PaymentId, refund_id: RefundId, uow: Uow
) -> RefundOut:
    """Show a refund."""
    async with uow:
        refunds = RefundRepository(uow.session, caller.merchant_id, payment_id)
        refund = await refunds.get(refund_id)
    if refund is None:
        raise not_found()
    return RefundOut.of(refund)
