"""Operations: what the PSP is asked to do, persisted before it is asked."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payments.kit.database import Base
from payments.payments.models import Payment
from payments.psp.protocol import Instruction, OperationType
from payments.refunds.models import Refund


class OperationStatus(StrEnum):
    """How far an operation got; succeeded and failed are final."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


OPEN = (OperationStatus.PENDING.value, OperationStatus.UNKNOWN.value)


class Operation(Base):
    """One attempt at the PSP. Its id is the key and the reference that the PSP is told.

    ``claimed_until``: until then somebody is at it; ``claims`` counts who took it. ``due_at``: when
    the worker looks next; ``passes`` counts in vain. An operation changes under its payment's lock.
    """

    __tablename__ = "operations"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey("refunds.id"))
    type: Mapped[str]
    status: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    reason: Mapped[str | None]
    claims: Mapped[int]
    claimed_until: Mapped[datetime]
    passes: Mapped[int]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    payment: Mapped[Payment] = relationship(lazy="raise")
    refund: Mapped[Refund | None] = relationship(lazy="raise")

    @property
    def is_open(self) -> bool:
        """Whether its end is not known yet."""
        return self.status in OPEN

    def instruction(self) -> Instruction:
        """What the PSP is told; the payment has to be loaded."""
        first = self.type in (OperationType.AUTHORISATION, OperationType.SALE)
        return Instruction(
            key=self.id,
            type=OperationType(self.type),
            amount=self.amount,
            currency=self.currency,
            token=self.payment.payment_method if first else None,
            authorisation=None if first else self.payment.psp_authorisation,
        )
