"""What the end of an operation does to payment, refund and ledger: once, whoever tells it."""

from datetime import UTC, datetime

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from payments.kit.database import seconds_from_now
from payments.kit.money import fee_of
from payments.kit.settings import Settings
from payments.ledger import service as ledger
from payments.ledger.models import Kind
from payments.ledger.repository import add_to_held
from payments.operations import announcements, repository
from payments.operations.models import Operation, OperationStatus
from payments.payments.models import Payment, PaymentStatus
from payments.psp.protocol import Declined, OperationType, Outcome, Succeeded
from payments.refunds.models import Refund, RefundStatus

MAX_BACKOFF = 4


async def settle(
    session: AsyncSession, operation_id: str, outcome: Outcome, settings: Settings
) -> Operation:
    """Bring an operation to the end that the PSP reported, unless it has ended already.

    A reply, a look-up and a retry may all bring the same news at once: the payment's lock lets one
    of them in, and the others find the operation ended. An outcome that settles nothing lets go of
    the claim, so that the worker or a retry goes on.
    """
    operation = await repository.lock(session, operation_id)
    if operation is None:
        raise LookupError("the operation was withdrawn")

    was_open = operation.is_open
    if was_open:
        if isinstance(outcome, Succeeded):
            await _succeed(session, operation, outcome, settings.fee_bps)
        elif isinstance(outcome, Declined):
            await _fail(session, operation, outcome)
        else:
            _leave_unknown(operation, settings)

    await session.flush()
    if was_open:
        await announcements.of_the_end(session, operation)
    return operation


async def _succeed(
    session: AsyncSession, operation: Operation, outcome: Succeeded, fee_bps: int
) -> None:
    operation.status = OperationStatus.SUCCEEDED.value
    operation.settled_at = datetime.now(UTC)
    payment = operation.payment

    match OperationType(operation.type):
        case OperationType.AUTHORISATION:
            payment.psp_authorisation = outcome.authorisation
            payment.advance(PaymentStatus.AUTHORISED)

        case OperationType.SALE:
            payment.psp_authorisation = outcome.authorisation
            await _capture(session, payment, operation.amount, fee_bps)

        case OperationType.CAPTURE:
            await _capture(session, payment, operation.amount, fee_bps)

        case OperationType.VOID:
            payment.advance(PaymentStatus.VOIDED)

        case OperationType.REFUND:
            await _refund(session, payment, _refund_of(operation))


async def _fail(session: AsyncSession, operation: Operation, outcome: Declined) -> None:
    operation.status = OperationStatus.FAILED.value
    operation.settled_at = datetime.now(UTC)
    operation.reason = outcome.reason

    match OperationType(operation.type):
        case OperationType.AUTHORISATION | OperationType.SALE:
            operation.payment.advance(PaymentStatus.DECLINED)

        case OperationType.CAPTURE | OperationType.VOID:
            pass  # the authorisation stands as it stood

        case OperationType.REFUND:
            refund = _refund_of(operation)
            refund.status = RefundStatus.FAILED.value
            await add_to_held(session, operation.payment.account_id, -refund.amount)


def _leave_unknown(operation: Operation, settings: Settings) -> None:
    operation.status = OperationStatus.UNKNOWN.value
    if operation.refund is not None:
        operation.refund.status = RefundStatus.UNKNOWN.value
    wait = settings.reconcile_interval_seconds * min(2**operation.passes, MAX_BACKOFF)
    operation.due_at = seconds_from_now(wait)
    operation.passes = min(operation.passes + 1, MAX_BACKOFF)
    operation.claimed_until = func.clock_timestamp()


async def _capture(session: AsyncSession, payment: Payment, amount: int, fee_bps: int) -> None:
    """Credit the merchant with what is captured, less the fee."""
    fee = fee_of(amount, fee_bps)
    payment.advance(PaymentStatus.CAPTURED)
    payment.captured = amount
    payment.fee = fee

    legs = {
        ledger.platform_account("psp_clearing", payment.currency): -amount,
        ledger.platform_account("fees", payment.currency): fee,
        payment.account_id: amount - fee,
    }
    await ledger.post(session, Kind.CAPTURE, payment.id, payment.currency, legs)


async def _refund(session: AsyncSession, payment: Payment, refund: Refund) -> None:
    """Turn what is held for the refund into a debit; the fee stays where it is."""
    refund.status = RefundStatus.SUCCEEDED.value
    refunded = sum(
        other.amount for other in payment.refunds if other.status == RefundStatus.SUCCEEDED
    )
    whole = refunded == payment.captured
    payment.advance(PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED)

    await add_to_held(session, payment.account_id, -refund.amount)
    legs = {
        payment.account_id: -refund.amount,
        ledger.platform_account("psp_clearing", payment.currency): refund.amount,
    }
    await ledger.post(session, Kind.REFUND, refund.id, payment.currency, legs)


def _refund_of(operation: Operation) -> Refund:
    if operation.refund is None:
        raise LookupError("a refund operation has no refund")
    return operation.refund


async def withdraw(session: AsyncSession, operation_id: str) -> bool:
    """Take back an operation of which the PSP never heard, with all that was made for it.

    Only its first holder can know that nobody told the PSP: False, and nothing done, if another
    has had it since.
    """
    operation = await repository.lock(session, operation_id)
    if operation is None or operation.claims != 1 or not operation.is_open:
        return False
    payment, refund = operation.payment, operation.refund
    await session.delete(operation)
    await session.flush()

    if refund is not None:
        await add_to_held(session, payment.account_id, -refund.amount)
        await session.delete(refund)
    if operation.type in repository.FIRST_OPERATIONS:
        await session.delete(payment)
    await session.flush()
    return True
