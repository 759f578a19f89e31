"""Section 18: the PSP's settlement files, held against our books."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from payments.settlements import service
from testkit.api import Caller, Merchant, money
from testkit.settlements import file_of
from testkit.till import (
    Till,
    days_from,
    fetched,
    kinds,
    listed,
    make_due,
    move_in_time,
)


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
