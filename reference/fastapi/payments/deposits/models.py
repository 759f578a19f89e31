"""Deposits, as stored."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class Deposit(Base):
    """Money that came in from the platform's bank account."""

    __tablename__ = "deposits"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    reference: Mapped[str | None]
    created_at: Mapped[datetime]
