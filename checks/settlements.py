"""The PSP's settlements, as the administrator sees them (contract 18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StrictBool, StrictInt, StrictStr

from checks.amounts import Money, money
from checks.attachment import Psp
from checks.lists import walk
from checks.losers import carried_out
from checks.shapes import Amount, Read
from checks.tenants import Platform
from checks.testbed.psp_settlements import Movement
from checks.verdicts import Broken

Kind = Literal[
    "duplicate", "unexpected", "unsettled", "type", "currency", "amount", "day", "missing"
]
Status = Literal["awaited", "malformed", "fetching", "comparing", "compared"]

#: By so much clocks may differ (18.8).
_LEEWAY = timedelta(seconds=60)


class Total(Read):
    """A total of a file's trailer (18.1)."""

    type: Literal["capture", "refund"]
    count: StrictInt
    amount: Amount


class Failure(Read):
    """Why there is no whole file (18.1)."""

    line: StrictInt | None
    reason: StrictStr


class Settlement(Read):
    """A day's settlement (18.1)."""

    date: StrictStr
    status: Status
    movements: StrictInt
    totals: tuple[Total, ...]
    differences: StrictInt
    resolved: StrictInt
    failure: Failure | None
    fetched_at: AwareDatetime | None
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/settlements/{self.date}"


class Row(Read):
    """A row of a file (18.6)."""

    line: StrictInt
    operation: StrictStr
    type: Literal["capture", "refund"]
    amount: Amount
    at: AwareDatetime


class Booked(Read):
    """What the service's books say (18.6)."""

    payment: Annotated[StrictStr, Field(pattern="^pay_.+")]
    refund: StrictStr | None
    type: Literal["capture", "refund"]
    amount: Amount
    posted: StrictBool


class Difference(Read):
    """How a file and the books differ (18.6)."""

    id: Annotated[StrictStr, Field(pattern="^dif_.+")]
    date: StrictStr
    kind: Kind
    reference: StrictStr
    theirs: Row | None
    ours: Booked | None
    status: Literal["open", "resolved"]
    resolved_at: AwareDatetime | None
    created_at: AwareDatetime


async def fetch(platform: Platform, day: str) -> Settlement:
    """Have a day's file asked for and compared, whoever else is at it (18.3)."""
    path = f"/v1/settlements/{day}/fetch"
    answer = (await carried_out(partial(platform.client.post, path, {}))).expect(200)
    settlement = answer.read(Settlement)
    if settlement.date != day:
        raise Broken(f"{answer} with the settlement of {settlement.date}.")
    return settlement


async def fetch_closed(platform: Platform, psp: Psp, rows: Iterable[Movement]) -> set[str]:
    """Close all days that may concern these movements, and have them compared; the days.

    The PSP's day of a movement and the service's differ within a minute of midnight (18.8).
    """
    moments = [datetime.fromisoformat(row.at) for row in rows]
    days = {str((at + by).date()) for at in moments for by in (-_LEEWAY, _LEEWAY)}
    for day in sorted(days):
        await psp.close(day)
        settlement = await fetch(platform, day)
        if settlement.status not in ("compared", "comparing"):
            raise Broken(f"The PSP has a whole file of {day}; its settlement is {settlement}.")
    return days


async def differences(
    platform: Platform, days: Iterable[str], references: Collection[str], status: str = "open"
) -> list[Difference]:
    """The differences of some days about some references, and no others."""
    found = []
    for day in sorted(days):
        path = f"/v1/settlements/{day}/differences"
        async for answer, item in walk(platform.client, path, status=status):
            if item.get("reference") not in references:
                continue
            one = answer.read_value(item, Difference)
            if (one.date, one.status, one.resolved_at is None) != (day, status, status == "open"):
                raise Broken(f"{answer} with {one}.")
            found.append(one)
    return found


async def expect_differences(
    platform: Platform,
    days: Iterable[str],
    rows: Iterable[Movement],
    wanted: Mapping[str, str],
    *,
    also: Iterable[str] = (),
    status: str = "open",
) -> list[Difference]:
    """These differences and no others, each once, about these rows and what is wanted.

    Somebody else may have had the day looked at while one of these operations was under way at the
    PSP: what was ``unsettled`` then is ``resolved`` by now (contract 18.7, 18.9).
    """
    references = {row.reference for row in rows} | set(wanted) | set(also)
    found = await differences(platform, days, references, status)
    if status == "resolved":
        found = [
            one
            for one in found
            if one.kind != "unsettled" or wanted.get(one.reference) == "unsettled"
        ]
    listed = Counter((str(one.kind), one.reference) for one in found)
    due = Counter((kind, reference) for reference, kind in wanted.items())
    if listed != due:
        raise Broken(
            f"The differences that are {status} lack {_said(due - listed)}, and there is"
            f" {_said(listed - due)} beyond what the file was wrong in."
        )
    return found


def _said(kinds: Counter[tuple[str, str]]) -> str:
    return (
        ", ".join(f"{kind} {reference}" for kind, reference in sorted(kinds.elements())) or "none"
    )


def expect_sides(rows: Iterable[Movement], found: Iterable[Difference]) -> None:
    """Each difference shows what the file tells, and what the books have."""
    true = {row.reference: money(f"{row.amount} {row.currency}") for row in rows}
    for one in found:
        ours = None if one.ours is None else one.ours.amount.money
        if ours != true.get(one.reference):
            raise Broken(f"The books have {true.get(one.reference)}; listed is {one}.")
        if (one.theirs is None) != (one.kind == "missing"):
            raise Broken(f"A {one.kind} row is listed as {one}.")
        if one.theirs is None or ours is None:
            continue
        amount, told = one.theirs.amount.money.amount, one.theirs.amount.money.currency
        if (amount == ours.amount + 1) != (one.kind == "amount"):
            raise Broken(f"The PSP told one minor unit more only of the other amount: {one}.")
        if (told != ours.currency) != (one.kind == "currency"):
            raise Broken(f"The PSP told another currency only of that: {one}.")


def expect_refused(
    settlement: Settlement, status: str, movements: int, *, at_a_line: bool = True
) -> None:
    """A look that brought no whole file says so, and where; what is held stays."""
    failure = settlement.failure
    if failure is None or (failure.line is not None) != at_a_line:
        raise Broken(f"Why there is no whole file is not said, or not where: {settlement}.")
    if (settlement.status, settlement.movements) != (status, movements):
        raise Broken(
            f"A settlement without a whole file is {settlement}; it must be {status}, with"
            f" {movements} movements."
        )


def expect_whole(settlement: Settlement, told: list[Money]) -> None:
    """The settlement of a file of captures that nobody here made."""
    sums: dict[str, Money] = {}
    for amount in told:
        sums[amount.currency] = amount + sums.get(amount.currency, Money(0, amount.currency))
    counts = Counter(amount.currency for amount in told)
    due = {("capture", currency, counts[currency], sums[currency]) for currency in sums}
    shown = {
        (one.type, one.amount.currency, one.count, one.amount.money) for one in settlement.totals
    }
    figures = (settlement.status, settlement.movements, settlement.differences, settlement.failure)
    if figures != ("compared", len(told), len(told), None) or shown != due:
        raise Broken(f"The file tells {_listed(told)}; its settlement is {settlement}.")


def _listed(told: Iterable[Money]) -> str:
    return ", ".join(map(str, told)) or "of no movement"
