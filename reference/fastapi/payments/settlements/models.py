"""Settlements, as stored: the files, and how they differ from our books."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payments.kit.claims import Claimable
from payments.kit.database import Base


class SettlementStatus(StrEnum):
    """How far a day's settlement is; a file is held whole from ``comparing`` on."""

    AWAITED = "awaited"
    MALFORMED = "malformed"
    FETCHING = "fetching"
    COMPARING = "comparing"
    COMPARED = "compared"


HELD = (SettlementStatus.COMPARING.value, SettlementStatus.COMPARED.value)
"""Those whose file is held whole."""


class DifferenceKind(StrEnum):
    """What is wrong between a row of the file and our books; ``missing`` is the lack of a row."""

    DUPLICATE = "duplicate"
    UNEXPECTED = "unexpected"
    UNSETTLED = "unsettled"
    TYPE = "type"
    CURRENCY = "currency"
    AMOUNT = "amount"
    DAY = "day"
    MISSING = "missing"


class DifferenceStatus(StrEnum):
    """Whether a difference is there still; one that is resolved was not found again."""

    OPEN = "open"
    RESOLVED = "resolved"


class SettlementTotal(Base):
    """What the file says of all its movements of a type in a currency, in minor units."""

    __tablename__ = "settlement_totals"

    settlement_id: Mapped[str] = mapped_column(ForeignKey("settlements.id"), primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    amount: Mapped[int] = mapped_column(BigInteger)


class Settlement(Claimable, Base):
    """One UTC day, which is its id, such as ``2026-01-05``.

    ``asked_at``: just before the file was asked for that is held now; ``failure`` is of a later
    look that brought none. ``due_at``: when the worker looks next; ``passes`` counts in vain.
    ``comparisons`` numbers them; ``differences`` are open.
    """

    __tablename__ = "settlements"

    status: Mapped[str]
    asked_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    failure_line: Mapped[int | None]
    comparisons: Mapped[int]
    movements: Mapped[int]
    differences: Mapped[int]
    resolved: Mapped[int]
    passes: Mapped[int]
    created_at: Mapped[datetime]

    totals: Mapped[list[SettlementTotal]] = relationship(
        lazy="raise",
        viewonly=True,
        order_by=(SettlementTotal.type, SettlementTotal.currency),
    )

    @property
    def day(self) -> date:
        """The day."""
        return date.fromisoformat(self.id)


class SettlementRow(Base):
    """A movement as the file tells it; ``occurrence`` counts the rows of its reference from 1."""

    __tablename__ = "settlement_rows"

    settlement_id: Mapped[str] = mapped_column(ForeignKey("settlements.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str]
    type: Mapped[str]
    reference: Mapped[str]
    occurrence: Mapped[int]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    at: Mapped[datetime]


class Difference(Base):
    """A row that does not agree with our books (``theirs``, ``ours``), or the lack of one.

    ``seen`` is the number of the last comparison that found it.
    """

    __tablename__ = "settlement_differences"
    __table_args__ = (UniqueConstraint("settlement_id", "reference", "occurrence", "kind"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    settlement_id: Mapped[str] = mapped_column(ForeignKey("settlements.id"))
    kind: Mapped[str]
    reference: Mapped[str]
    occurrence: Mapped[int]
    theirs: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    ours: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    seen: Mapped[int]
    resolved_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
