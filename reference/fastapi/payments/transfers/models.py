"""Transfers, as stored."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class Transfer(Base):
    """A movement between two merchants' accounts, of one merchant or two.

    The merchants are kept here too, so that each finds its transfers by an index. ``reverses`` is
    unique: a transfer is given back once, whatever else goes wrong.
    """

    __tablename__ = "transfers"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    from_account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    from_merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    to_account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    to_merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    reference: Mapped[str | None]
    reverses: Mapped[str | None] = mapped_column(ForeignKey("transfers.id"), unique=True)
    reversed_by: Mapped[str | None]
    created_at: Mapped[datetime]
