"""Accounts and their balances, as stored."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payments.kit.database import Base


class Account(Base):
    """What an account is. The platform's own accounts belong to no merchant.

    ``version`` counts renames.
    """

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str | None] = mapped_column(ForeignKey("merchants.id"))
    name: Mapped[str]
    currency: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    balance: Mapped["Balance"] = relationship(lazy="raise")


class Balance(Base):
    """What a merchant's account holds, in minor units.

    ``posted`` is the sum of the account's entries. The platform's accounts have no such row: every
    merchant's capture would wait for it. Their balance is the sum of their entries.
    """

    __tablename__ = "balances"
    __table_args__ = (
        CheckConstraint("held >= 0", name="held"),
        CheckConstraint("posted - held >= 0", name="available"),
    )

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    posted: Mapped[int] = mapped_column(BigInteger, default=0)
    held: Mapped[int] = mapped_column(BigInteger, default=0)

    @property
    def available(self) -> int:
        """What can be spent."""
        return self.posted - self.held
