"""Quotes, as stored."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class QuoteStatus(StrEnum):
    """What became of a quote; ``expired`` is what the clock makes of an open one."""

    OPEN = "open"
    EXECUTED = "executed"
    EXPIRED = "expired"


class Quote(Base):
    """A conversion at a fixed price: ``sell`` is taken, ``fee`` of it kept, and ``buy`` credited.

    ``sell`` and ``fee`` are in minor units of ``sell_currency``, ``buy`` in those of
    ``buy_currency``; ``rate`` is in units of the one for a unit of the other.
    """

    __tablename__ = "quotes"
    __table_args__ = (CheckConstraint("sell > fee AND fee >= 0 AND buy > 0", name="amounts"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    from_account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    to_account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    sell_currency: Mapped[str]
    buy_currency: Mapped[str]
    sell: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    buy: Mapped[int] = mapped_column(BigInteger)
    rate: Mapped[Decimal] = mapped_column(Numeric)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    executed_at: Mapped[datetime | None]

    def status(self, now: datetime) -> QuoteStatus:
        """What became of it by a moment."""
        if self.executed_at is not None:
            return QuoteStatus.EXECUTED
        return QuoteStatus.OPEN if now < self.expires_at else QuoteStatus.EXPIRED
