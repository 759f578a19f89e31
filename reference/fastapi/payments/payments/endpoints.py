"""Payments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.callers import Operator, Viewer
from payments.audit import log as audit
from payments.audit.models import Action
from payments.dependencies import ContextOf, Uow
from payments.idempotency.requests import MerchantKey
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import CHARGING, LISTING, READING, WRITING, not_found, refusals
from payments.operations import reconciliation
from payments.operations.execution import ambiguous, execute
from payments.operations.models import Operation
from payments.payments import service
from payments.payments.models import PaymentStatus
from payments.payments.repository import PaymentRepository
from payments.payments.schemas import (
    CaptureCreate,
    PaymentCreate,
    PaymentOut,
    SyncCreate,
    VoidCreate,
)
from payments.payments.sorting import PaymentSort, order_of

router = APIRouter(prefix="/v1/payments", tags=["payments"])

PaymentId = Annotated[str, path_id("pay")]
Status = Annotated[PaymentStatus | None, Query()]
Sort = Annotated[PaymentSort, Query()]


@router.post(
    "",
    status_code=201,
    response_model=PaymentOut,
    responses=ambiguous(PaymentOut) | refusals(*CHARGING),
)
async def create_payment(
    caller: Operator, body: PaymentCreate, key: MerchantKey, context: ContextOf, uow: Uow
) -> Response:
    """Take a card payment."""

    async def start(session: AsyncSession, attempt: str, lease: float) -> Operation:
        return await service.pay(session, caller, body, attempt, lease)

    return await execute(context, uow, key, start)


@router.get("", responses=refusals(*LISTING))
async def list_payments(
    caller: Viewer,
    context: ContextOf,
    uow: Uow,
    status: Status = None,
    sort: Sort = PaymentSort.NEWEST,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[PaymentOut]:
    """List the merchant's payments."""
    order = order_of(sort)
    scope = (caller.merchant_id, "payments", sort, status or "")
    page = Page.of(context.cursors, order, scope, limit, cursor)
    async with uow:
        rows = await PaymentRepository(uow.session, caller.merchant_id).page(page, status)
    payments, next_cursor = page.cut(rows)
    return ListOf(data=[PaymentOut.of(payment) for payment in payments], next_cursor=next_cursor)


@router.get("/{payment_id}", responses=refusals(*READING, 404))
async def get_payment(caller: Viewer, payment_id: PaymentId, uow: Uow) -> PaymentOut:
    """Show a payment."""
    async with uow:
        payment = await PaymentRepository(uow.session, caller.merchant_id).get(payment_id)
    if payment is None:
        raise not_found()
    return PaymentOut.of(payment)


@router.post(
    "/{payment_id}/capture",
    response_model=PaymentOut,
    responses=ambiguous(PaymentOut) | refusals(*CHARGING),
)
async def capture_payment(
    caller: Operator,
    payment_id: PaymentId,
    key: MerchantKey,
    context: ContextOf,
    uow: Uow,
    body: CaptureCreate | None = None,
) -> Response:
    """Capture an authorised payment, whole or in part."""
    wanted = body or CaptureCreate()

    async def start(session: AsyncSession, attempt: str, lease: float) -> Operation:
        return await service.capture(session, caller, payment_id, wanted, attempt, lease)

    return await execute(context, uow, key, start)


@router.post(
    "/{payment_id}/void",
    response_model=PaymentOut,
    responses=ambiguous(PaymentOut) | refusals(*CHARGING),
)
async def void_payment(
    caller: Operator,
    payment_id: PaymentId,
    key: MerchantKey,
    context: ContextOf,
    uow: Uow,
    body: VoidCreate | None = None,
) -> Response:
    """Void an authorised payment."""

    async def start(session: AsyncSession, attempt: str, lease: float) -> Operation:
        operation = await service.void(session, caller, payment_id, attempt, lease)
        await audit.note(session, caller, Action.VOID_REQUESTED, payment_id)
        return operation

    return await execute(context, uow, key, start)


@router.post("/{payment_id}/sync", responses=refusals(*WRITING, 404))
async def sync_payment(
    caller: Operator,
    payment_id: PaymentId,
    context: ContextOf,
    uow: Uow,
    body: SyncCreate | None = None,
) -> PaymentOut:
    """Ask the PSP about every operation of the payment whose end is not known."""
    async with uow:
        if await PaymentRepository(uow.session, caller.merchant_id).get(payment_id) is None:
            raise not_found()
    await reconciliation.of_payment(context, payment_id)
    async with uow:
        payment = await PaymentRepository(uow.session, caller.merchant_id).get(payment_id)
    if payment is None:
        raise not_found()
    return PaymentOut.of(payment)
