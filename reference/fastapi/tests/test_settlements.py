"""Section 18: the PSP's settlement files, held against our books."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from payments.dependencies import Context
from payments.settlements import matching, repository, service
from testkit.api import Caller, Merchant, money
from testkit.psp import FakePsp
from testkit.settlements import Row, file_of

_days = itertools.count()


@pytest.fixture
def day() -> str:
    """A day long over that is nobody else's, the days around it neither."""
    return new_day()


def new_day() -> str:
    return (date(2003, 1, 2) + timedelta(days=100 * next(_days))).isoformat()


def days_from(day: str, number: int) -> str:
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


@pytest_asyncio.fixture(loop_scope="session")
async def till(context: Context, merchant: Merchant, fake_psp: FakePsp) -> AsyncIterator[Till]:
    """A till, and no settlements; in the end what it moved is of today again."""
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(text("TRUNCATE settlements CASCADE"))
    used = Till(context, merchant, fake_psp)
    yield used
    now = datetime.now(UTC)
    await move_in_time(context, sorted(used.moved), now, now)


async def fetched(admin: Caller, day: str) -> dict[str, Any]:
    answer = await admin.post(f"/v1/settlements/{day}/fetch", {})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    assert (await admin.get(f"/v1/settlements/{day}")).json() == shown
    return shown


async def listed(admin: Caller, day: str, **more: object) -> list[dict[str, Any]]:
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
    found = await listed(admin, day, status=status)
    return Counter((one["kind"], one["reference"]) for one in found)


async def ledger_of(till: Till) -> dict[str, list[dict[str, Any]]]:
    return {account: await till.merchant.entries(account) for account in till.accounts.values()}


async def test_a_clean_day_has_no_differences(till: Till, admin: Caller, day: str) -> None:
    await till.move("sale", 1_250)
    await till.move("capture", 1_251, "JPY")
    await till.move("refund", 1_252, "KWD")
    await till.merchant.pay(till.accounts["GBP"], 99, capture=False)
    till.psp.files[day] = file_of(day, await till.happened(day))
    shown = await fetched(admin, day)
    assert (shown["status"], shown["failure"]) == ("compared", None)
    assert (shown["movements"], shown["differences"], shown["resolved"]) == (4, 0, 0)
    assert shown["totals"] == [
        {"type": "capture", "count": 1, "amount": money(1_250)},
        {"type": "capture", "count": 1, "amount": money(1_251, "JPY")},
        {"type": "capture", "count": 1, "amount": money(1_252, "KWD")},
        {"type": "refund", "count": 1, "amount": money(1_252, "KWD")},
    ]
    assert await listed(admin, day) == []
    assert shown in (await admin.get("/v1/settlements", limit=100)).json()["data"]


async def test_a_difference_shows_both_sides(till: Till, admin: Caller, day: str) -> None:
    payment = await till.move("sale", 1_250)
    (row,) = await till.happened(day)
    unknown = replace(row, reference="op_of_nobody", operation="op_x", amount="7.00")
    till.psp.files[day] = file_of(day, [row.one_more(), unknown])
    await fetched(admin, day)
    stranger, other = sorted(await listed(admin, day), key=lambda one: str(one["kind"]))[::-1]
    assert (other["kind"], other["reference"], other["status"]) == ("amount", row.reference, "open")
    assert other["theirs"] == {
        "line": 2,
        "operation": row.operation,
        "type": "capture",
        "amount": money(1_251),
        "at": f"{day}T12:00:00Z",
    }
    assert other["ours"] == {
        "payment": payment,
        "refund": None,
        "type": "capture",
        "amount": money(1_250),
        "posted": True,
    }
    assert (stranger["kind"], stranger["ours"]) == ("unexpected", None)


FAULTS = ("", "", "missing", "amount", "currency", "type", "day", "duplicate", "thrice")


def with_fault(row: Row, fault: str) -> Iterator[Row]:
    """What the file tells of a row instead."""
    match fault:
        case "missing":
            return
        case "amount":
            yield row.one_more()
        case "currency":
            yield row.elsewhere()
        case "type":
            yield replace(row, type="refund" if row.type == "capture" else "capture")
        case "day":
            yield row.the_day_before()
        case "duplicate":
            yield from (row, row)
        case "thrice":
            yield from (row, replace(row, operation="op_again"), row.one_more())
        case _:
            yield row


def planted(rows: Sequence[Row], faults: Sequence[str], strangers: Iterable[Row]) -> Counter[Any]:
    """The differences that there must be."""
    wanted: Counter[Any] = Counter()
    for row, fault in zip(rows, faults, strict=True):
        if fault == "thrice":
            wanted["duplicate", row.reference] = 2
        elif fault:
            wanted[fault, row.reference] = 1
    return wanted + Counter(("unexpected", row.reference) for row in strangers)


MOVES = st.tuples(
    st.sampled_from(["sale", "capture"]),
    st.integers(1, 10**9),
    st.sampled_from(["GBP", "JPY", "KWD", "EUR"]),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_exactly_the_differences_that_were_planted_are_found(
    till: Till, admin: Caller, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    monkeypatch.setattr(matching, "BATCH", data.draw(st.sampled_from([1, 2, 500]), label="batch"))
    monkeypatch.setattr(service, "BATCH", data.draw(st.sampled_from([1, 3, 500]), label="kept"))
    day = new_day()
    till.psp.reset()
    for kind, amount, currency in data.draw(st.lists(MOVES, max_size=4), label="moves"):
        payment = await till.move(kind, amount, currency)
        if data.draw(st.booleans(), label="refunded"):
            await till.refund(payment, data.draw(st.integers(1, amount)), currency)
    rows = await till.happened(day)
    strangers = [
        Row(
            f"op_s{n}",
            "refund",
            f"stranger_{n}",
            "3.10",
            "EUR",
            datetime.fromisoformat(f"{day}T00:00:00Z"),
        )
        for n in range(data.draw(st.integers(0, 3), label="strangers"))
    ]
    before = await ledger_of(till)
    faults = [data.draw(st.sampled_from(FAULTS), label=row.reference) for row in rows]
    told = [list(with_fault(row, fault)) for row, fault in zip(rows, faults, strict=True)]
    told += [[stranger] for stranger in strangers]
    shuffled = data.draw(st.permutations(told), label="order")
    till.psp.files[day] = file_of(day, itertools.chain.from_iterable(shuffled))
    wanted = planted(rows, faults, strangers)
    for _ in range(2):
        shown = await fetched(admin, day)
        assert await kinds(admin, day) == wanted
        assert shown["differences"] == wanted.total()
    till.psp.files[day] = file_of(day, rows)
    shown = await fetched(admin, day)
    assert (await kinds(admin, day), shown["differences"]) == (Counter(), 0)
    assert shown["resolved"] == len(await listed(admin, day))
    assert await ledger_of(till) == before


async def test_what_is_not_settled_here_is_resolved_by_a_later_look(
    till: Till, admin: Caller, day: str
) -> None:
    account = till.accounts["GBP"] = await till.merchant.account()
    till.psp.fault = "drop"
    unknown = await till.merchant.pay(account, 1_000)
    assert (unknown.status_code, unknown.json()["status"]) == (202, "unknown")
    till.psp.fault = None
    rows = await till.happened(day)
    till.psp.files[day] = file_of(day, rows)
    assert (await fetched(admin, day))["differences"] == 1
    unsettled = ("unsettled", rows[0].reference)
    assert await kinds(admin, day) == Counter([unsettled])
    path = f"/v1/payments/{unknown.json()['id']}"
    assert (await till.merchant.post(f"{path}/sync", {})).json()["status"] == "captured"
    await move_in_time(till.context, [rows[0].reference], rows[0].at, rows[0].at)
    await make_due(till.context, day)
    asked = len(till.psp.asked_for)
    while await service.of_due(till.context):
        pass
    assert day not in till.psp.asked_for[asked:]
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["differences"], shown["resolved"]) == (0, 1)
    assert await kinds(admin, day, "resolved") == Counter([unsettled])


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


async def test_a_file_that_is_not_whole_changes_nothing_and_says_where(
    till: Till, admin: Caller, day: str
) -> None:
    await till.move("sale", 1_250)
    (row,) = await till.happened(day)
    whole = file_of(day, [row])
    till.psp.files[day] = whole[: whole.index("end")]
    shown = await fetched(admin, day)
    assert shown["status"] == "malformed"
    assert shown["failure"] == {"line": 3, "reason": "The file has no end."}
    assert (shown["movements"], shown["fetched_at"], shown["totals"]) == (0, None, [])
    till.psp.files[day] = whole
    assert (await fetched(admin, day))["status"] == "compared"
    till.psp.files[day] = file_of(day, []).replace(",0,", ",1,")
    shown = await fetched(admin, day)
    assert (shown["status"], shown["movements"], shown["differences"]) == ("compared", 1, 0)
    assert shown["failure"]["line"] == 2


@pytest.mark.parametrize("fault", ["500", "drop", ""])
async def test_a_file_that_is_not_there_is_awaited_and_the_breaker_stays_closed(
    till: Till, admin: Caller, day: str, fault: str
) -> None:
    till.psp.fault = fault or None
    shown = await fetched(admin, day)
    assert (shown["status"], shown["failure"]["line"]) == ("awaited", None)
    till.context.psp.ensure_available()


async def test_the_worker_fetches_each_closed_day_once_and_again_what_was_not_there(
    till: Till, admin: Caller
) -> None:
    today = datetime.now(UTC).date().isoformat()
    one, two = days_from(today, -20), days_from(today, -19)
    await till.move("sale", 1_250)
    till.psp.files[one] = file_of(one, await till.happened(one))
    copies = [service.of_due(till.context) for _ in range(4)]
    while any(await asyncio.gather(*copies)):
        copies = [service.of_due(till.context) for _ in range(4)]
    wanted = Counter(days_from(one, number) for number in range(-1, 20))
    asked = Counter(till.psp.asked_for)
    assert asked == wanted
    assert (await admin.get(f"/v1/settlements/{one}")).json()["status"] == "compared"
    assert (await admin.get(f"/v1/settlements/{two}")).json()["status"] == "awaited"

    till.psp.files[two] = file_of(two, [])
    for day in (one, two):
        await make_due(till.context, day)
    while await service.of_due(till.context):
        pass
    asked = Counter(till.psp.asked_for)
    assert (asked[one], asked[two]) == (1, 2)
    assert (await admin.get(f"/v1/settlements/{two}")).json()["status"] == "compared"


async def test_what_was_under_way_at_midnight_may_be_told_on_either_day(
    till: Till, admin: Caller, day: str
) -> None:
    next_day = days_from(day, 1)
    await till.move("sale", 1_250)
    (row,) = await till.happened(day, "23:59:30", f"{next_day}T00:00:30")
    till.psp.files[day] = file_of(day, [])
    assert (await fetched(admin, day))["differences"] == 0
    till.psp.files[next_day] = file_of(next_day, [row])
    assert (await fetched(admin, next_day))["differences"] == 0

    till.psp.files[day] = file_of(day, [replace(row, at=row.at - timedelta(minutes=1))])
    assert (await fetched(admin, day))["differences"] == 0
    await fetched(admin, next_day)
    assert await kinds(admin, next_day) == Counter([("duplicate", row.reference)])

    till.psp.files |= {day: file_of(day, []), next_day: file_of(next_day, [])}
    await fetched(admin, next_day)
    await fetched(admin, day)
    assert await kinds(admin, day) == Counter()
    assert await kinds(admin, next_day) == Counter([("missing", row.reference)])
    assert (await admin.get(f"/v1/settlements/{next_day}")).json()["differences"] == 1

    till.psp.files[day] = file_of(day, [replace(row, at=row.at - timedelta(minutes=1))])
    await fetched(admin, day)
    assert await kinds(admin, next_day) == Counter()
    assert (await admin.get(f"/v1/settlements/{next_day}")).json()["differences"] == 0


async def test_a_file_that_comes_late_has_later_days_looked_at_again(
    till: Till, admin: Caller, day: str
) -> None:
    """Unknown for two days: no file tells of it, which is known once all three are there."""
    last = days_from(day, 2)
    await till.move("sale", 1_250)
    (row,) = await till.happened(day, "10:00:00", f"{last}T10:00:00")
    for number in (2, 1, 0):
        one = days_from(day, number)
        till.psp.files[one] = file_of(one, [])
        assert (await fetched(admin, one))["differences"] == 0
    while await service.of_due(till.context):
        pass
    assert await kinds(admin, last) == Counter([("missing", row.reference)])


async def test_today_can_be_fetched_where_the_psp_has_closed_it_and_is_fetched_again(
    till: Till, admin: Caller
) -> None:
    await till.move("sale", 1_250)
    rows = till.psp.rows()
    days = {row.at.date().isoformat() for row in rows}
    today = max(days)
    till.psp.files[today] = file_of(today, list(rows))
    shown = await fetched(admin, today)
    assert shown["status"] == "compared"
    mine = {row.reference for row in rows}
    assert not mine & {one["reference"] for one in await listed(admin, today, limit=100)}
    async with till.context.database.unit_of_work() as uow:
        due = await uow.session.scalar(
            text("SELECT due_at FROM settlements WHERE id = :day"), {"day": today}
        )
    assert due == datetime.fromisoformat(f"{days_from(today, 1)}T00:00:00+00:00")


async def test_only_one_asks_at_a_time_and_who_died_is_followed(
    till: Till, admin: Caller, day: str
) -> None:
    till.psp.fault = "hang"
    first = asyncio.create_task(admin.post(f"/v1/settlements/{day}/fetch", {}))
    async with asyncio.timeout(5):
        while day not in till.psp.asked_for:
            await asyncio.sleep(0.01)
    second = await admin.post(f"/v1/settlements/{day}/fetch", {})
    assert (second.status_code, second.json()["code"]) == (409, "fetch_in_progress")
    assert int(second.headers["retry-after"]) <= 2

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    till.psp.reset()
    till.psp.files[day] = file_of(day, [])
    async with till.context.database.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE settlements SET claimed_until = clock_timestamp() WHERE id = :day"),
            {"day": day},
        )
    while await service.of_due(till.context):
        pass
    assert (await admin.get(f"/v1/settlements/{day}")).json()["status"] == "compared"


async def test_a_file_that_was_half_kept_is_asked_for_again(
    till: Till, admin: Caller, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.move("sale", 1_250)
    (row,) = await till.happened(day)
    till.psp.files[day] = file_of(day, [row.one_more()])
    assert (await fetched(admin, day))["differences"] == 1

    async def fail(*_: object) -> None:
        raise ConnectionError

    till.psp.files[day] = file_of(day, [row])
    with monkeypatch.context() as failing:
        failing.setattr(repository, "replace_totals", fail)
        with pytest.raises(ConnectionError):
            await service.fetch(till.context, day)
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["status"], shown["differences"]) == ("fetching", 1)
    while await service.of_due(till.context):
        pass
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["status"], shown["differences"], shown["resolved"]) == ("compared", 0, 1)


async def test_whoever_outlived_its_claim_changes_nothing(
    till: Till, admin: Caller, day: str
) -> None:
    till.psp.fault = "hang"
    slow = asyncio.create_task(admin.post(f"/v1/settlements/{day}/fetch", {}))
    async with asyncio.timeout(5):
        while day not in till.psp.asked_for:
            await asyncio.sleep(0.01)
    async with till.context.database.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE settlements SET claimed_until = NULL WHERE id = :day"), {"day": day}
        )
    till.psp.fault = None
    till.psp.files[day] = file_of(day, [])
    assert (await fetched(admin, day))["status"] == "compared"
    till.psp.released.set()
    outlived = await slow
    assert (outlived.status_code, outlived.json()["code"]) == (503, "busy")
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["status"], shown["failure"]) == ("compared", None)


async def test_days_that_do_not_exist_are_not_found_and_days_to_come_are_refused(
    admin: Caller, day: str
) -> None:
    for wrong in ("2026-02-30", "2026-1-5", "today", "1999-12-31", "20260105"):
        for answer in (
            await admin.get(f"/v1/settlements/{wrong}"),
            await admin.get(f"/v1/settlements/{wrong}/differences"),
            await admin.post(f"/v1/settlements/{wrong}/fetch", {}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await admin.get(f"/v1/settlements/{day}")).status_code == 404
    assert (await admin.get(f"/v1/settlements/{day}/differences")).status_code == 404
    tomorrow = days_from(datetime.now(UTC).date().isoformat(), 1)
    answer = await admin.post(f"/v1/settlements/{tomorrow}/fetch", {})
    assert (answer.status_code, answer.json()["code"]) == (422, "future_date")


async def test_settlements_are_the_administrators(merchant: Merchant, day: str) -> None:
    for asked in (
        merchant.get("/v1/settlements"),
        merchant.get(f"/v1/settlements/{day}"),
        merchant.get(f"/v1/settlements/{day}/differences"),
        merchant.post(f"/v1/settlements/{day}/fetch", {}),
    ):
        answer: httpx.Response = await asked
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
