"""Giving captured money back: what is checked and reserved before the PSP is asked."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.ledger.repository import add_to_held, lock_accounts
from payments.operations import repository as operations
from payments.operations.models import Operation
from payments.payments.models import Payment
from payments.payments.repository import PaymentRepository
from payments.psp.protocol import OperationType
from payments.refunds.models import Refund, RefundStatus
from payments.refunds.schemas import RefundCreate

MAX_REFUNDS = 100


async def refund(
    session: AsyncSession,
    caller: Caller,
    payment_id: str,
    body: RefundCreate,
    attempt: str,
    lease: float,
) -> Operation:
    """A new refund, whose amount is held on the account from now on, and its operation.

    Raises:
        Problem: 404; 409 ``not_refundable``, ``too_many_refunds``; 422 ``currency_mismatch``,
            ``refund_exceeds_capture``, ``insufficient_funds``.
    """
    payment = await PaymentRepository(session, caller.merchant_id).lock(payment_id)
    if payment is None:
        raise not_found()
    _check_refundable(payment, body)

    await _reserve(session, payment, body.amount.amount)

    made = Refund(
        id=new_id("ref"),
        payment_id=payment.id,
        amount=body.amount.amount,
        currency=payment.currency,
        status=RefundStatus.PENDING.value,
        reference=body.reference,
        created_at=datetime.now(UTC),
    )
    payment.refunds.append(made)
    return await operations.begin(
        session,
        attempt,
        OperationType.REFUND,
        payment,
        made.amount,
        lease_seconds=lease,
        refund=made,
    )


def _check_refundable(payment: Payment, body: RefundCreate) -> None:
    """Whether the payment allows a refund at all."""
    if payment.captured == 0:
        raise Problem(409, "not_refundable", "Nothing of the payment is captured.")
    if body.amount.currency != payment.currency:
        raise Problem(422, "currency_mismatch", "The payment has another currency.")
    if len(payment.refunds) >= MAX_REFUNDS:
        raise Problem(409, "too_many_refunds", f"A payment takes {MAX_REFUNDS} refunds at most.")


async def _reserve(session: AsyncSession, payment: Payment, amount: int) -> None:
    """Hold the amount, if payment and account have it; the payment is locked.

    Every refund that has not failed counts, also one whose end is not known.
    """
    reserved = sum(other.amount for other in payment.refunds if other.status != RefundStatus.FAILED)
    if reserved + amount > payment.captured:
        raise Problem(422, "refund_exceeds_capture", "That is more than is left of the capture.")

    account = (await lock_accounts(session, [payment.account_id]))[payment.account_id]
    if account.available < amount:
        raise Problem(422, "insufficient_funds", "The account does not hold that much.")
    await add_to_held(session, account.id, amount)
