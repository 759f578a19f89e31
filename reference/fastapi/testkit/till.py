"""A merchant that takes money on days in the past, and what the administrator is told of them."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from payments.dependencies import Context
from testkit.api import Caller, Merchant, money
from testkit.psp import FakePsp
from testkit.settlements import Row

_days = itertools.count()


def new_day() -> str:
    """A day long over that is nobody else's, the days around it neither."""
    return (date(2003, 1, 2) + timedelta(days=100 * next(_days))).isoformat()


def days_from(day: str, number: int) -> str:
    """So many days later."""
    return (date.fromisoformat(day) + timedelta(days=number)).isoformat()


@dataclass
class Till:
    """A merchant that takes money on a day in the past, and what the PSP has of it."""

    context: Context
    merchant: Merchant
    psp: FakePsp
    accounts: dict[str, str] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)

    async def move(self, kind: str, amount: int, currency: str = "GBP") -> str:
        """Move money; the payment's id."""
        if currency not in self.accounts:
            self.accounts[currency] = await self.merchant.account(10**12, currency)
        later = kind == "capture"
        account = self.accounts[currency]
        paid = await self.merchant.pay(account, amount, currency=currency, capture=not later)
        assert paid.status_code == 201, paid.text
        path = f"/v1/payments/{paid.json()['id']}"
        if later:
            assert (await self.merchant.post(f"{path}/capture", {})).status_code == 200
        if kind == "refund":
            await self.refund(paid.json()["id"], amount, currency)
        payment: str = paid.json()["id"]
        return payment

    async def refund(self, payment: str, amount: int, currency: str = "GBP") -> None:
        """Give money of a payment back."""
        body = {"amount": money(amount, currency)}
        refund = await self.merchant.post(f"/v1/payments/{payment}/refunds", body)
        assert refund.status_code == 201, refund.text

    async def happened(
        self, day: str, begun: str = "12:00:00", ended: str | None = None
    ) -> list[Row]:
        """Have all that was done until now be done on a day; its rows, in order, at the end."""
        rows = self.psp.rows()
        moment = datetime.fromisoformat(f"{day}T{begun}+00:00")
        end = datetime.fromisoformat(f"{ended}+00:00") if ended else moment
        self.moved |= {row.reference for row in rows}
        await move_in_time(self.context, [row.reference for row in rows], moment, end)
        return [replace(row, at=end) for row in rows]


async def move_in_time(
    context: Context, references: Sequence[str], begun: datetime, ended: datetime
) -> None:
    """Have operations begun and ended at other times."""
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(
            text(
                "UPDATE operations SET created_at = :begun,"
                " settled_at = CASE WHEN settled_at IS NULL THEN NULL"
                " ELSE CAST(:ended AS timestamptz) END"
                " WHERE id = ANY(:ids)"
            ),
            {"begun": begun, "ended": ended, "ids": list(references)},
        )


async def make_due(context: Context, day: str) -> None:
    """Let the time come at which the worker looks again."""
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(
            text(
                "UPDATE settlements SET due_at = clock_timestamp()"
                " WHERE id = :day AND due_at IS NOT NULL"
            ),
            {"day": day},
        )


async def fetched(admin: Caller, day: str) -> dict[str, Any]:
    """The settlement of a day, once its file has been asked for."""
    answer = await admin.post(f"/v1/settlements/{day}/fetch", {})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    assert (await admin.get(f"/v1/settlements/{day}")).json() == shown
    return shown


async def listed(admin: Caller, day: str, **more: object) -> list[dict[str, Any]]:
    """All differences of a day, page by page."""
    found: list[dict[str, Any]] = []
    parameters: dict[str, object] = {"limit": 3, **more}
    while True:
        answer = await admin.get(f"/v1/settlements/{day}/differences", **parameters)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        if answer.json()["next_cursor"] is None:
            return found
        parameters["cursor"] = answer.json()["next_cursor"]


async def kinds(admin: Caller, day: str, status: str = "open") -> Counter[tuple[str, str]]:
    """How many differences there are of each kind about each reference."""
    found = await listed(admin, day, status=status)
    return Counter((one["kind"], one["reference"]) for one in found)


async def ledger_of(till: Till) -> dict[str, list[dict[str, Any]]]:
    """All entries of a till's accounts."""
    return {account: await till.merchant.entries(account) for account in till.accounts.values()}
