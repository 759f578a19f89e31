"""Settlements, as spoken."""

from datetime import UTC, date, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from payments.kit.money import Money
from payments.psp.settlements import MovementType
from payments.settlements.comparison import Booked
from payments.settlements.models import (
    Difference,
    DifferenceKind,
    DifferenceStatus,
    Settlement,
    SettlementRow,
    SettlementStatus,
)


def _a_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[str, AfterValidator(_a_day)]
"""A day of the calendar, as text."""


class SettlementFetch(BaseModel):
    """Nothing needs to be said."""

    model_config = ConfigDict(extra="forbid")


class TotalOut(BaseModel):
    """What a file says of all its movements of a type in a currency."""

    type: MovementType
    count: int
    amount: Money


class FailureOut(BaseModel):
    """Why a later look brought no file; ``line`` is where one is not whole."""

    line: int | None
    reason: str


class SettlementOut(BaseModel):
    """A day's settlement; ``differences`` are those that are open."""

    date: str
    status: SettlementStatus
    movements: int
    totals: list[TotalOut]
    differences: int
    resolved: int
    failure: FailureOut | None
    fetched_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, settlement: Settlement) -> Self:
        """Show a settlement; its totals have to be loaded."""
        failure = None
        if settlement.failure is not None:
            failure = FailureOut(line=settlement.failure_line, reason=settlement.failure)
        return cls(
            date=settlement.id,
            status=SettlementStatus(settlement.status),
            movements=settlement.movements,
            totals=[
                TotalOut(
                    type=MovementType(total.type),
                    count=total.count,
                    amount=Money(amount=total.amount, currency=total.currency),
                )
                for total in settlement.totals
            ],
            differences=settlement.differences,
            resolved=settlement.resolved,
            failure=failure,
            fetched_at=settlement.asked_at,
            created_at=settlement.created_at,
        )


class TheirsOut(BaseModel):
    """A row of the file."""

    line: int
    operation: str
    type: MovementType
    amount: Money
    at: datetime

    @classmethod
    def of(cls, row: SettlementRow) -> Self:
        """Show a row."""
        return cls(
            line=row.line,
            operation=row.operation,
            type=MovementType(row.type),
            amount=Money(amount=row.amount, currency=row.currency),
            at=row.at.astimezone(UTC),
        )


class OursOut(BaseModel):
    """What our books say of the same reference; ``posted`` if the ledger has it."""

    payment: str
    refund: str | None
    type: MovementType
    amount: Money
    posted: bool

    @classmethod
    def of(cls, booked: Booked) -> Self:
        """Show what is in our books."""
        return cls(
            payment=booked.payment,
            refund=booked.refund,
            type=booked.type,
            amount=Money(amount=booked.amount, currency=booked.currency),
            posted=booked.posted,
        )


class DifferenceOut(BaseModel):
    """What is wrong with one row of the file, or that there is none."""

    id: str
    date: str
    kind: DifferenceKind
    reference: str
    theirs: TheirsOut | None
    ours: OursOut | None
    status: DifferenceStatus
    resolved_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, difference: Difference) -> Self:
        """Show a difference."""
        is_open = difference.resolved_at is None
        return cls(
            id=difference.id,
            date=difference.settlement_id,
            kind=DifferenceKind(difference.kind),
            reference=difference.reference,
            theirs=TheirsOut.model_validate(difference.theirs) if difference.theirs else None,
            ours=OursOut.model_validate(difference.ours) if difference.ours else None,
            status=DifferenceStatus.OPEN if is_open else DifferenceStatus.RESOLVED,
            resolved_at=difference.resolved_at,
            created_at=difference.created_at,
        )
