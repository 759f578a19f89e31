"""Events, as stored: written with the change that they tell of."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Identity
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class EventType(StrEnum):
    """What happened to which kind of object."""

    DEPOSIT_CREATED = "deposit.created"
    TRANSFER_CREATED = "transfer.created"
    TRANSFER_REVERSED = "transfer.reversed"
    PAYMENT_AUTHORISED = "payment.authorised"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_VOIDED = "payment.voided"
    PAYMENT_DECLINED = "payment.declined"
    PAYMENT_EXPIRED = "payment.expired"
    PAYMENT_PARTIALLY_REFUNDED = "payment.partially_refunded"
    PAYMENT_REFUNDED = "payment.refunded"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    QUOTE_EXECUTED = "quote.executed"
    PAYOUT_CREATED = "payout.created"
    PAYOUT_CHANGED = "payout.changed"
    PAYOUT_CANCELLED = "payout.cancelled"
    PAYOUT_APPROVED = "payout.approved"
    PAYOUT_SUBMITTED = "payout.submitted"
    PAYOUT_REJECTED = "payout.rejected"
    PAYOUT_FAILED = "payout.failed"
    PAYOUT_PAID = "payout.paid"
    PAYOUT_RETURNED = "payout.returned"


class Stream(Base):
    """What one merchant is told of one object: ``sequence`` is that of its last event."""

    __tablename__ = "streams"

    merchant_id: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]


class StreamClaim(Base):
    """Who publishes a stream, ``until`` a moment.

    Relays write nothing where changes of objects write: under snapshot isolation those would fail
    for a stream that was published meanwhile.
    """

    __tablename__ = "stream_claims"

    merchant_id: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class Event(Base):
    """One change of one object's state, as one merchant is told of it.

    ``sequence`` counts the stream's events from 1; ``number`` grows over all of them, and has gaps
    while transactions are under way. ``published_at`` is empty until the broker has it.
    """

    __tablename__ = "events"

    merchant_id: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
