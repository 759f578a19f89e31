"""Payouts and what approves them, as stored."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from payments.bank.protocol import Order, Payee
from payments.kit.claims import Claimable
from payments.kit.database import Base


class PayoutStatus(StrEnum):
    """Where a payout stands; unknown if the bank may have it or not."""

    AWAITING_APPROVAL = "awaiting_approval"
    CANCELLED = "cancelled"
    APPROVED = "approved"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    REJECTED = "rejected"
    FAILED = "failed"
    PAID = "paid"
    RETURNED = "returned"


NEVER_LEFT = (
    PayoutStatus.CANCELLED.value,
    PayoutStatus.REJECTED.value,
    PayoutStatus.FAILED.value,
)
"""Those whose money stayed; they count towards no limit."""

OPEN = (
    PayoutStatus.APPROVED.value,
    PayoutStatus.UNKNOWN.value,
    PayoutStatus.SUBMITTED.value,
)
"""Those whose end the bank has to tell."""

_ENDS = {PayoutStatus.REJECTED, PayoutStatus.FAILED, PayoutStatus.PAID}
_NEXT = {
    PayoutStatus.AWAITING_APPROVAL: {PayoutStatus.CANCELLED, PayoutStatus.APPROVED},
    PayoutStatus.APPROVED: {PayoutStatus.UNKNOWN, PayoutStatus.SUBMITTED} | _ENDS,
    PayoutStatus.UNKNOWN: {PayoutStatus.SUBMITTED} | _ENDS,
    PayoutStatus.SUBMITTED: {PayoutStatus.FAILED, PayoutStatus.PAID},
    PayoutStatus.PAID: {PayoutStatus.RETURNED},
}


class Payout(Claimable, Base):
    """Money on its way to a bank account, in minor units of ``currency``.

    ``makers`` are the clients that made or changed it. ``claimed_until``: until then somebody asks
    the bank about it; ``due_at``: when the worker looks next; ``passes`` counts in vain.
    """

    __tablename__ = "payouts"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    payee_name: Mapped[str]
    payee_bank_account: Mapped[str]
    reference: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    made_by: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    makers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("clients.id"))
    bank_id: Mapped[str | None]
    passes: Mapped[int]
    created_at: Mapped[datetime]

    @property
    def payee(self) -> Payee:
        """Whom it goes to."""
        return Payee(self.payee_name, self.payee_bank_account)

    def order(self) -> Order:
        """What the bank is told."""
        return Order(self.id, self.amount, self.currency, self.payee, self.bank_id)

    def may_become(self, status: PayoutStatus) -> bool:
        """Whether a status is still ahead."""
        return status in _NEXT.get(PayoutStatus(self.status), set())


class Challenge(Base):
    """A code that was sent to an approver; only its MAC is kept, which binds it to its terms."""

    __tablename__ = "payout_challenges"

    id: Mapped[str] = mapped_column(primary_key=True)
    payout_id: Mapped[str] = mapped_column(ForeignKey("payouts.id"))
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    code_mac: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Approver(Base):
    """Somebody who tried to approve a payout; ``failures`` counts wrong codes in a row."""

    __tablename__ = "payout_approvers"

    payout_id: Mapped[str] = mapped_column(ForeignKey("payouts.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    failures: Mapped[int]
