"""What merchants are told when an operation has ended."""

from sqlalchemy.ext.asyncio import AsyncSession

from payments.events.models import EventType
from payments.events.outbox import record
from payments.operations.models import Operation, OperationStatus
from payments.operations.repository import FIRST_OPERATIONS
from payments.payments.models import Payment
from payments.payments.schemas import PaymentOut
from payments.refunds.schemas import RefundOut


async def of_the_end(session: AsyncSession, operation: Operation) -> None:
    """Tell what became of payment and refund; nothing of an operation that is open still."""
    if operation.is_open:
        return
    if operation.status == OperationStatus.SUCCEEDED or operation.type in FIRST_OPERATIONS:
        await of_the_payment(session, operation.payment)
    refund = operation.refund
    if refund is not None:
        kind = EventType(f"refund.{refund.status}")
        concerned = [operation.payment.merchant_id]
        await record(session, kind, refund.id, concerned, RefundOut.of(refund))


async def of_the_payment(session: AsyncSession, payment: Payment) -> None:
    """Tell what a payment has become."""
    kind = EventType(f"payment.{payment.status}")
    await record(session, kind, payment.id, [payment.merchant_id], PaymentOut.of(payment))
