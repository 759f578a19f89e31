"""Settlement files as the card processor writes them, and as it should not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

HEADER = "operation,type,reference,amount,currency,at"

TYPES = {"sale": "capture", "capture": "capture", "refund": "refund"}


@dataclass(frozen=True)
class Row:
    """One movement, as a file tells it."""

    operation: str
    type: str
    reference: str
    amount: str
    currency: str
    at: datetime

    @classmethod
    def of(cls, told: Mapping[str, Any], at: datetime) -> "Row":
        """The row of an operation that moved money."""
        kind, reference = TYPES[told["type"]], told["reference"]
        return cls(told["id"], kind, reference, told["amount"], told["currency"], at)

    def text(self) -> str:
        """The line."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return ",".join((self.operation, self.type, self.reference, self.amount, self.currency, at))

    def one_more(self) -> "Row":
        """The same with another amount: one minor unit more."""
        amount = Decimal(self.amount)
        unit = Decimal((0, (1,), int(amount.as_tuple().exponent)))
        return replace(self, amount=str(amount + unit))

    def elsewhere(self) -> "Row":
        """The same in another currency with as many digits."""
        others = {"JPY": "KRW", "KRW": "JPY", "KWD": "BHD", "BHD": "KWD", "EUR": "USD"}
        return replace(self, currency=others.get(self.currency, "EUR"))

    def the_day_before(self) -> "Row":
        """The same on another day."""
        return replace(self, at=self.at - timedelta(days=1))


def file_of(day: str, rows: Iterable[Row]) -> str:
    """A whole file: header, rows, totals, end."""
    rows = list(rows)
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        sums[row.type, row.currency].append(Decimal(row.amount))
    totals = [
        f"total,{kind},{len(amounts)},{sum(amounts)},{currency},{day}"
        for (kind, currency), amounts in sorted(sums.items())
    ]
    end = f"end,,{len(rows)},,,{day}"
    return "\r\n".join([HEADER, *(row.text() for row in rows), *totals, end, ""])
