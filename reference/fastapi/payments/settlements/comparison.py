"""How a movement that the PSP tells and what our books say of it differ: by the rules alone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from payments.psp.settlements import MovementType
from payments.settlements.models import DifferenceKind, SettlementRow

LEEWAY = timedelta(seconds=60)
"""By so much the PSP's clock and ours may differ."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Booked:
    """An operation that moves money, as our books have it.

    ``amount`` is what the ledger posted, in minor units, or is to be posted while the end is not
    known. ``ended_at`` is empty until then.
    """

    reference: str
    payment: str
    refund: str | None
    type: MovementType
    amount: int
    currency: str
    posted: bool
    open: bool
    begun_at: datetime
    ended_at: datetime | None

    def days(self) -> list[date]:
        """The days whose files may hold it: it was done between its beginning and its end."""
        first = (self.begun_at - LEEWAY).astimezone(UTC).date()
        last = ((self.ended_at or self.begun_at) + LEEWAY).astimezone(UTC).date()
        return [first + number * _DAY for number in range((last - first).days + 1)]

    def day(self) -> str:
        """The day on which it ended by our clock."""
        return (self.ended_at or self.begun_at).astimezone(UTC).date().isoformat()


def difference(
    row: SettlementRow, booked: Booked | None, elsewhere: Collection[str]
) -> DifferenceKind | None:
    """What is wrong with a row; the first that applies, for a row is one difference at most.

    ``elsewhere`` are other days whose files tell of the same reference.
    """
    if row.occurrence > 1 or _told_before(row, booked, elsewhere):
        return DifferenceKind.DUPLICATE
    if booked is None or not booked.posted:
        is_open = booked is not None and booked.open
        return DifferenceKind.UNSETTLED if is_open else DifferenceKind.UNEXPECTED
    told = row.at.astimezone(UTC).date()
    right_day = told.isoformat() == row.settlement_id and told in booked.days()
    agreements = {
        DifferenceKind.TYPE: row.type == booked.type,
        DifferenceKind.CURRENCY: row.currency == booked.currency,
        DifferenceKind.AMOUNT: row.amount == booked.amount,
        DifferenceKind.DAY: right_day,
    }
    return next((kind for kind, agrees in agreements.items() if not agrees), None)


def _told_before(row: SettlementRow, booked: Booked | None, elsewhere: Collection[str]) -> bool:
    """Whether an earlier file told of it, that may well be the one to do so."""
    if booked is None:
        return False
    right = {day.isoformat() for day in booked.days()}
    return any(day < row.settlement_id and day in right for day in elsewhere)


@dataclass(frozen=True, slots=True)
class Found:
    """A difference that a comparison found, and the day that it is listed with."""

    day: str
    kind: DifferenceKind
    row: SettlementRow | None
    booked: Booked | None

    @property
    def reference(self) -> str:
        """What it is about, in our words."""
        if self.row is not None:
            return self.row.reference
        return self.booked.reference if self.booked is not None else ""

    @property
    def occurrence(self) -> int:
        """Which of the rows of its reference; 0 for the lack of one."""
        return self.row.occurrence if self.row is not None else 0
