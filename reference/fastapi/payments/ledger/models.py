"""Transactions and entries, as stored: written once, never changed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payments.kit.database import Base


class Kind(StrEnum):
    """Why money moved."""

    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    TRANSFER_REVERSAL = "transfer_reversal"
    CAPTURE = "capture"
    REFUND = "refund"
    CONVERSION_SALE = "conversion_sale"
    CONVERSION_PURCHASE = "conversion_purchase"
    PAYOUT = "payout"
    PAYOUT_RETURN = "payout_return"


class Transaction(Base):
    """One movement of money. No object moves money of one kind twice."""

    __tablename__ = "transactions"
    __table_args__ = (UniqueConstraint("kind", "reference"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    reference: Mapped[str]
    created_at: Mapped[datetime]


class Entry(Base):
    """One leg of a transaction: ``amount`` is signed, in minor units of ``currency``.

    ``number`` grows in the order in which an account's entries were made.
    """

    __tablename__ = "entries"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    created_at: Mapped[datetime]

    transaction: Mapped[Transaction] = relationship(lazy="raise")
