"""Payments, as stored."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payments.kit.database import Base
from payments.refunds.models import Refund


class PaymentStatus(StrEnum):
    """Where a payment stands; unknown until the PSP's answer to its first operation is known."""

    UNKNOWN = "unknown"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOIDED = "voided"
    DECLINED = "declined"
    EXPIRED = "expired"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


_NEXT = {
    PaymentStatus.UNKNOWN: {
        PaymentStatus.AUTHORISED,
        PaymentStatus.CAPTURED,
        PaymentStatus.DECLINED,
    },
    PaymentStatus.AUTHORISED: {
        PaymentStatus.CAPTURED,
        PaymentStatus.VOIDED,
        PaymentStatus.EXPIRED,
    },
    PaymentStatus.CAPTURED: {PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED},
    PaymentStatus.PARTIALLY_REFUNDED: {
        PaymentStatus.PARTIALLY_REFUNDED,
        PaymentStatus.REFUNDED,
    },
}


class BackwardError(Exception):
    """A payment was to change its status backward: our own mistake."""


class Payment(Base):
    """A card payment; amounts are in minor units of ``currency``."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("captured BETWEEN 0 AND amount", name="captured"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    payment_method: Mapped[str]
    capture: Mapped[bool]
    status: Mapped[str]
    captured: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    psp_authorisation: Mapped[str | None]
    reference: Mapped[str | None]
    description: Mapped[str | None]
    created_at: Mapped[datetime]

    refunds: Mapped[list[Refund]] = relationship(
        lazy="raise", order_by=(Refund.created_at, Refund.id)
    )

    def advance(self, status: PaymentStatus) -> None:
        """Change the status, forward only."""
        if status not in _NEXT.get(PaymentStatus(self.status), set()):
            raise BackwardError(f"{self.status} -> {status}")
        self.status = status.value
