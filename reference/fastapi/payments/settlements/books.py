"""What our books say of the movements of money at the PSP."""

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Select, case, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from payments.ledger.models import Entry, Kind, Transaction
from payments.operations.models import Operation, OperationStatus
from payments.psp.protocol import OperationType
from payments.psp.settlements import MovementType
from payments.settlements.comparison import LEEWAY, Booked
from payments.settlements.models import Settlement, SettlementRow

MOVING = (OperationType.SALE.value, OperationType.CAPTURE.value, OperationType.REFUND.value)


async def booked(session: AsyncSession, references: Collection[str]) -> dict[str, Booked]:
    """What our books say of these references; those that they do not know are left out."""
    rows = await session.execute(_books().where(Operation.id.in_(references)))
    return {operation.id: _booked(operation, entry) for operation, entry in rows}


async def untold(
    session: AsyncSession, settlement: Settlement, after: Booked | None, limit: int
) -> list[Booked]:
    """Some of what ended around a day, before its file was asked for, and no file tells."""
    start = datetime.combine(settlement.day, time(), UTC)
    told = select(SettlementRow.line).where(SettlementRow.reference == Operation.id)
    found = _books().where(
        Operation.status == OperationStatus.SUCCEEDED.value,
        Operation.settled_at >= start - LEEWAY,
        Operation.settled_at < start + timedelta(days=1) + LEEWAY,
        Operation.settled_at < settlement.asked_at,
        ~told.exists(),
    )
    if after is not None:
        position = tuple_(literal(after.ended_at), literal(after.reference))
        found = found.where(tuple_(Operation.settled_at, Operation.id) > position)
    ordered = found.order_by(Operation.settled_at, Operation.id).limit(limit)
    return [_booked(*row) for row in await session.execute(ordered)]


def _books() -> Select[Operation, int | None]:
    """Operations that move money, each with what the ledger posted to the PSP's clearing."""
    refund = Operation.type == OperationType.REFUND.value
    kind = case((refund, Kind.REFUND.value), else_=Kind.CAPTURE.value)
    cause = case((refund, Operation.refund_id), else_=Operation.payment_id)
    clearing = literal("psp_clearing:") + Operation.currency
    return (
        select(Operation, Entry.amount)
        .outerjoin(Transaction, (Transaction.kind == kind) & (Transaction.reference == cause))
        .outerjoin(Entry, (Entry.transaction_id == Transaction.id) & (Entry.account_id == clearing))
        .where(Operation.type.in_(MOVING))
    )


def _booked(operation: Operation, entry: int | None) -> Booked:
    """``entry`` is the ledger's: what is captured is owed to us, what is refunded by us."""
    is_refund = operation.type == OperationType.REFUND
    posted = None
    if operation.status == OperationStatus.SUCCEEDED and entry is not None:
        posted = entry if is_refund else -entry
    return Booked(
        reference=operation.id,
        payment=operation.payment_id,
        refund=operation.refund_id,
        type=MovementType.REFUND if is_refund else MovementType.CAPTURE,
        amount=operation.amount if posted is None else posted,
        currency=operation.currency,
        posted=posted is not None,
        open=operation.is_open,
        begun_at=operation.created_at,
        ended_at=operation.settled_at,
    )
