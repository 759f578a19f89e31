"""Operations in the database, and who is at them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from payments.kit.database import BusyError, seconds_from_now
from payments.operations.models import OPEN, Operation, OperationStatus
from payments.payments.models import Payment
from payments.psp.protocol import OperationType
from payments.refunds.models import Refund

FIRST_OPERATIONS = (OperationType.AUTHORISATION.value, OperationType.SALE.value)
STATUS_CHANGING = (OperationType.CAPTURE.value, OperationType.VOID.value)


async def begin(
    session: AsyncSession,
    operation_id: str,
    operation_type: OperationType,
    payment: Payment,
    amount: int,
    *,
    lease_seconds: float,
    refund: Refund | None = None,
) -> Operation:
    """Persist an attempt, claimed by whoever persists it, before the PSP is asked."""
    operation = Operation(
        id=operation_id,
        payment_id=payment.id,
        refund_id=refund.id if refund is not None else None,
        payment=payment,
        refund=refund,
        type=operation_type.value,
        status=OperationStatus.PENDING.value,
        amount=amount,
        currency=payment.currency,
        claims=1,
        claimed_until=seconds_from_now(lease_seconds),
        passes=0,
        due_at=func.clock_timestamp(),
        created_at=datetime.now(UTC),
    )
    session.add(operation)
    await session.flush()
    return operation


async def has_open(session: AsyncSession, payment_id: str) -> bool:
    """Whether an operation that may change the payment's status has no known end yet.

    The payment has to be locked.
    """
    found = await session.scalar(
        select(Operation.id)
        .where(
            Operation.payment_id == payment_id,
            Operation.type.in_(FIRST_OPERATIONS + STATUS_CHANGING),
            Operation.status.in_(OPEN),
        )
        .limit(1)
    )
    return found is not None


async def claim_one(session: AsyncSession, operation_id: str, lease_seconds: float) -> bool:
    """Take an operation over whose holder let go of it or died; whether it was to be had."""
    return bool(await _claim(session, Operation.id == operation_id, lease_seconds, limit=1))


async def claim_of_payment(
    session: AsyncSession, payment_id: str, lease_seconds: float
) -> Sequence[str]:
    """Take over all open operations of a payment that nobody is at."""
    return await _claim(session, Operation.payment_id == payment_id, lease_seconds, limit=200)


async def claim_due(session: AsyncSession, lease_seconds: float, limit: int) -> Sequence[str]:
    """Take over some operations that it is time to look at, the longest due first."""
    return await _claim(
        session, Operation.due_at <= func.clock_timestamp(), lease_seconds, limit=limit
    )


async def _claim(
    session: AsyncSession, which: ColumnElement[bool], lease_seconds: float, *, limit: int
) -> Sequence[str]:
    free = (
        select(Operation.id)
        .where(
            which,
            Operation.status.in_(OPEN),
            Operation.claimed_until <= func.clock_timestamp(),
        )
        .order_by(Operation.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = await session.scalars(
        update(Operation)
        .where(Operation.id.in_(free.scalar_subquery()))
        .values(claims=Operation.claims + 1, claimed_until=seconds_from_now(lease_seconds))
        .returning(Operation.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.all()


async def renew_claim(
    session: AsyncSession, operation_id: str, claims: int, lease_seconds: float
) -> None:
    """Say that its holder is still at it, unless somebody else took it over."""
    await session.execute(
        update(Operation)
        .where(
            Operation.id == operation_id,
            Operation.claims == claims,
            Operation.status.in_(OPEN),
        )
        .values(claimed_until=seconds_from_now(lease_seconds))
        .execution_options(synchronize_session=False)
    )


async def load(session: AsyncSession, operation_id: str) -> Operation:
    """An operation with all that its instruction, and an answer about it, needs.

    Raises:
        BusyError: it was withdrawn between two statements.
    """
    operation = (await session.scalars(_whole(operation_id))).one_or_none()
    if operation is None:
        raise BusyError("the operation was withdrawn")
    return operation


async def lock(session: AsyncSession, operation_id: str) -> Operation | None:
    """The same, with its payment locked, which covers the payment's operations and refunds."""
    payment = select(Operation.payment_id).where(Operation.id == operation_id).scalar_subquery()
    await session.execute(select(Payment.id).where(Payment.id == payment).with_for_update())
    return (await session.scalars(_whole(operation_id))).one_or_none()


def _whole(operation_id: str) -> Select[Operation]:
    return (
        select(Operation)
        .where(Operation.id == operation_id)
        .options(
            joinedload(Operation.payment, innerjoin=True).selectinload(Payment.refunds),
            joinedload(Operation.refund),
        )
    )
