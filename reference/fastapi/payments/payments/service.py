"""Taking payments, capturing and voiding them: what comes before the PSP is asked."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.accounts.repository import AccountRepository
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.operations import repository as operations
from payments.operations.models import Operation
from payments.payments.models import Payment, PaymentStatus
from payments.payments.repository import PaymentRepository
from payments.payments.schemas import CaptureCreate, PaymentCreate
from payments.psp.protocol import OperationType


async def pay(
    session: AsyncSession, caller: Caller, body: PaymentCreate, attempt: str, lease: float
) -> Operation:
    """A new payment, unknown until the PSP has answered, and its first operation.

    Raises:
        Problem: 404 ``account_not_found``, 422 ``currency_mismatch``.
    """
    account = await AccountRepository(session, caller.merchant_id).get(body.account)
    if account is None:
        raise Problem(404, "account_not_found", "There is no such account.")
    if account.currency != body.amount.currency:
        raise Problem(422, "currency_mismatch", "The account has another currency.")

    payment = Payment(
        id=new_id("pay"),
        merchant_id=caller.merchant_id,
        account_id=account.id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        payment_method=body.payment_method,
        capture=body.capture,
        status=PaymentStatus.UNKNOWN.value,
        captured=0,
        fee=0,
        reference=body.reference,
        description=body.description,
        created_at=datetime.now(UTC),
    )
    session.add(payment)
    first = OperationType.SALE if body.capture else OperationType.AUTHORISATION
    return await operations.begin(
        session, attempt, first, payment, payment.amount, lease_seconds=lease
    )


async def capture(
    session: AsyncSession,
    caller: Caller,
    payment_id: str,
    body: CaptureCreate,
    attempt: str,
    lease: float,
) -> Operation:
    """The one capture of an authorised payment.

    Raises:
        Problem: 404; 409 ``not_capturable``, ``operation_pending``; 422 ``currency_mismatch``,
            ``amount_too_large``.
    """
    payment = await _lock_authorised(session, caller, payment_id, "not_capturable")

    amount = payment.amount
    if body.amount is not None:
        if body.amount.currency != payment.currency:
            raise Problem(422, "currency_mismatch", "The payment has another currency.")
        if body.amount.amount > payment.amount:
            raise Problem(422, "amount_too_large", "That is more than was authorised.")
        amount = body.amount.amount

    return await operations.begin(
        session, attempt, OperationType.CAPTURE, payment, amount, lease_seconds=lease
    )


async def void(
    session: AsyncSession, caller: Caller, payment_id: str, attempt: str, lease: float
) -> Operation:
    """The void of an authorised payment, whole.

    Raises:
        Problem: 404; 409 ``not_voidable``, ``operation_pending``.
    """
    payment = await _lock_authorised(session, caller, payment_id, "not_voidable")

    return await operations.begin(
        session, attempt, OperationType.VOID, payment, payment.amount, lease_seconds=lease
    )


async def _lock_authorised(
    session: AsyncSession, caller: Caller, payment_id: str, otherwise: str
) -> Payment:
    """The payment, locked, if it is authorised and nothing is under way that could change that."""
    payment = await PaymentRepository(session, caller.merchant_id).lock(payment_id)
    if payment is None:
        raise not_found()
    if await operations.has_open(session, payment.id):
        raise Problem(409, "operation_pending", "Another operation on the payment is under way.")
    if payment.status != PaymentStatus.AUTHORISED:
        raise Problem(409, otherwise, "The payment's status does not allow this.")
    return payment
