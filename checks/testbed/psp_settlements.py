"""The PSP's daily settlement files (contract 9.12 to 9.15), true and scripted otherwise."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from checks.amounts import exponent
from checks.testbed.faults import SettlementFault
from checks.testbed.http import Answer

PATH = "/v1/settlements/"

_HEADER = "operation,type,reference,amount,currency,at"
_TYPES = {"sale": "capture", "capture": "capture", "refund": "refund"}

#: Another currency with as many digits.
_OTHERS = {0: ("JPY", "KRW"), 2: ("EUR", "USD"), 3: ("KWD", "BHD")}


@dataclass(frozen=True, slots=True)
class Movement:
    """One row: money that was moved, told in the PSP's terms."""

    operation: str
    type: str
    reference: str
    amount: str
    currency: str
    at: str

    @classmethod
    def of(cls, operation: dict[str, Any], at: datetime) -> Movement | None:
        """The row of an operation; none moves money that was declined, authorised or voided."""
        kind = _TYPES.get(operation["type"])
        if kind is None or operation["status"] != "succeeded":
            return None
        return cls(
            operation["id"],
            kind,
            operation["reference"],
            operation["amount"],
            operation["currency"],
            _moment(at),
        )

    @property
    def day(self) -> str:
        """The UTC day on which it was done."""
        return self.at[:10]


class Settlements:
    """Which days are closed, and what their files say; ``moved`` gives all true movements."""

    def __init__(self, moved: Callable[[], Sequence[Movement]]) -> None:
        self._moved = moved
        self._closed: set[str] = set()
        self._script: dict[str, SettlementFault] = {}
        self._faults = 0

    def close(self, day: str) -> None:
        """Have the file of a day from now on, although it is not over; others are closed then."""
        self._closed.add(day)

    def script(self, fault: SettlementFault) -> str:
        """Put a fault in force until it is lifted; gives its id."""
        self._faults += 1
        name = f"settlement-{fault.kind}-{self._faults}"
        self._script[name] = fault
        return name

    def lift(self, name: str | None = None) -> None:
        """End a fault, or all; what is closed stays closed."""
        for found in [name] if name is not None else list(self._script):
            self._script.pop(found, None)

    def answer(self, day: str) -> Answer:
        """What is answered to the question for a day's file."""
        faults = [fault for fault in self._script.values() if fault.date in (None, day)]
        late = next((fault for fault in faults if fault.kind == "late"), None)
        if late is not None or not self._is_closed(day):
            status = 404 if late is None else late.status
            return Answer(status, json.dumps({"error": "not_closed"}))
        rows = [row for row in self._moved() if row.day == day]
        for fault in faults:
            rows = list(_told(fault, day, rows))
        text = _file(day, rows)
        for fault in faults:
            text = _spoilt(fault, text)
        return Answer(200, text, {"Content-Type": "text/csv"})

    def _is_closed(self, day: str) -> bool:
        return day in self._closed or day < datetime.now(UTC).date().isoformat()


def _told(fault: SettlementFault, day: str, rows: Sequence[Movement]) -> Iterator[Movement]:
    """What the file tells instead of its true rows."""
    for row in rows:
        if fault.reference != row.reference:
            yield row
            continue
        match fault.kind:
            case "missing":
                pass
            case "duplicate":
                yield from (row, row)
            case "amount":
                yield replace(row, amount=_one_more(row.amount))
            case "currency":
                yield replace(row, currency=_another(row.currency))
            case "day":
                yield replace(row, at=_a_day_before(row.at))
            case _:
                yield row
    if fault.kind == "additional":
        at = _moment(datetime.fromisoformat(f"{day}T12:00:00Z"))
        reference = fault.reference or ""
        operation = f"op_{reference}"
        yield Movement(operation, fault.type, reference, fault.amount, fault.currency, at)


def _file(day: str, rows: Sequence[Movement]) -> str:
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        sums[row.type, row.currency].append(Decimal(row.amount))
    lines = [
        ",".join((row.operation, row.type, row.reference, row.amount, row.currency, row.at))
        for row in rows
    ]
    totals = [
        f"total,{kind},{len(amounts)},{sum(amounts)},{currency},{day}"
        for (kind, currency), amounts in sums.items()
    ]
    return "\r\n".join((_HEADER, *lines, *totals, f"end,,{len(rows)},,,{day}", ""))


def _spoilt(fault: SettlementFault, text: str) -> str:
    """A file that is not whole."""
    lines = text.split("\r\n")
    match fault.kind:
        case "truncated":  # between two lines, so that nothing but the trailer tells
            return "\r\n".join((*lines[: fault.lines], ""))
        case "total":
            return "\r\n".join(map(_off_by_one, lines))
        case "count":
            end = lines[-2].split(",")
            return "\r\n".join((*lines[:-2], ",".join((*end[:2], "99999", *end[3:])), ""))
        case "nonsense":
            return "<html>Please come again later.</html>"
        case _:
            return text


def _off_by_one(line: str) -> str:
    fields = line.split(",")
    if fields[0] == "total":
        fields[3] = _one_more(fields[3])
    return ",".join(fields)


def _one_more(amount: str) -> str:
    unit = Decimal(1).scaleb(int(Decimal(amount).as_tuple().exponent))
    return str(Decimal(amount) + unit)


def _another(currency: str) -> str:
    return next(one for one in _OTHERS[exponent(currency)] if one != currency)


def _a_day_before(at: str) -> str:
    return _moment(datetime.fromisoformat(at) - timedelta(days=1))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
