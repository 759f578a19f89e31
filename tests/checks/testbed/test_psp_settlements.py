"""The PSP simulator's settlement files, true and scripted otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from checks.testbed.faults import Fault, SettlementFault
from checks.testbed.psp import Psp

PAST = "2019-03-17"


@pytest_asyncio.fixture
async def psp() -> AsyncIterator[Psp]:
    async with Psp("secret") as running:
        yield running


@pytest_asyncio.fixture
async def client(psp: Psp) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(base_url=psp.lines[0].url, headers=headers, timeout=20) as opened:
        yield opened


async def sale(
    client: httpx.AsyncClient, key: str, amount: str = "12.50", currency: str = "GBP"
) -> dict[str, Any]:
    body = {
        "token": f"tok_{key}",
        "amount": amount,
        "currency": currency,
        "capture": True,
        "reference": key,
    }
    answer = await client.post("/v1/authorisations", json=body, headers={"Idempotency-Key": key})
    told: dict[str, Any] = answer.json()
    return told


async def follow(client: httpx.AsyncClient, path: str, told: dict[str, Any]) -> None:
    body = {name: told[name] for name in ("authorisation", "amount", "currency")}
    key = f"{told['reference']}-{path}"
    headers = {"Idempotency-Key": key}
    answer = await client.post(f"/v1/{path}", json=body | {"reference": key}, headers=headers)
    assert answer.status_code == 201


async def lines_of(client: httpx.AsyncClient, day: str) -> list[str]:
    answer = await client.get(f"/v1/settlements/{day}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv"
    assert answer.text.endswith("\r\n")
    return answer.text.splitlines()


def today_of(psp: Psp, key: str) -> str:
    (row,) = psp.moved(f"tok_{key}")
    return row.day


async def test_a_file_tells_what_was_moved_and_its_trailer_agrees(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    first, yen = await sale(client, "a"), await sale(client, "b", "1250", "JPY")
    await sale(client, "c", "0.51")
    await follow(client, "refunds", yen)
    await follow(client, "voids", first)
    psp.script(Fault(kind="decline", token="tok_d"))
    await sale(client, "d")
    day = today_of(psp, "a")
    psp.close(day)
    header, *rows = await lines_of(client, day)
    assert header == "operation,type,reference,amount,currency,at"
    told = [row.split(",")[1:5] for row in rows[:4]]
    assert told == [
        ["capture", "a", "12.50", "GBP"],
        ["capture", "b", "1250", "JPY"],
        ["capture", "c", "0.51", "GBP"],
        ["refund", "b-refunds", "1250", "JPY"],
    ]
    assert rows[0].startswith(first["id"])
    assert rows[0].split(",")[5].startswith(f"{day}T")
    assert rows[4:] == [
        f"total,capture,2,13.01,GBP,{day}",
        f"total,capture,1,1250,JPY,{day}",
        f"total,refund,1,1250,JPY,{day}",
        f"end,,4,,,{day}",
    ]


async def test_a_day_is_closed_when_it_is_over_or_when_told(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    now = datetime.now(UTC)
    tomorrow = str((now + timedelta(days=1)).date())
    assert await lines_of(client, PAST) == [
        "operation,type,reference,amount,currency,at",
        f"end,,0,,,{PAST}",
    ]
    answer = await client.get(f"/v1/settlements/{tomorrow}")
    assert (answer.status_code, answer.json()) == (404, {"error": "not_closed"})
    psp.close(tomorrow)
    psp.lift()
    assert await lines_of(client, tomorrow)
    name = psp.script(SettlementFault(kind="late", date=PAST, status=409))
    assert (await client.get(f"/v1/settlements/{PAST}")).status_code == 409
    psp.lift(name)
    assert await lines_of(client, PAST)


async def test_the_api_key_is_required_and_the_journal_tells_who_asked(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    path = f"/v1/settlements/{PAST}"
    assert (await client.get(path, headers={"Authorization": "Bearer x"})).status_code == 401
    await lines_of(client, PAST)
    assert [entry.status for entry in psp.journal(PAST)] == [401, 200]


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("missing", []),
        ("duplicate", ["capture,a,1.250,KWD,same day", "capture,a,1.250,KWD,same day"]),
        ("amount", ["capture,a,1.251,KWD,same day"]),
        ("currency", ["capture,a,1.250,BHD,same day"]),
        ("day", ["capture,a,1.250,KWD,day before"]),
    ],
)
async def test_a_row_can_be_told_otherwise_in_a_file_that_is_whole(
    psp: Psp, client: httpx.AsyncClient, kind: Any, changed: list[str]
) -> None:
    await sale(client, "a", "1.250", "KWD")
    await sale(client, "b", "7", "JPY")
    day = today_of(psp, "a")
    psp.close(day)
    true = await lines_of(client, day)
    name = psp.script(SettlementFault(kind=kind, reference="a"))
    lines = await lines_of(client, day)
    rows = [line.split(",") for line in lines if ",a," in line]
    assert [",".join([*row[1:5], told_on(row[5], day)]) for row in rows] == changed
    assert lines[-1] == f"end,,{len(changed) + 1},,,{day}"
    currency = "BHD" if kind == "currency" else "KWD"
    assert any(f",{currency},{day}" in line for line in lines) == bool(changed)
    psp.lift(name)
    assert await lines_of(client, day) == true


def told_on(at: str, day: str) -> str:
    before = datetime.fromisoformat(day).date() - timedelta(days=1)
    return {day: "same day", str(before): "day before"}.get(at[:10], at)


async def test_a_movement_that_never_was_can_be_told(psp: Psp, client: httpx.AsyncClient) -> None:
    fault = SettlementFault(
        kind="additional", date=PAST, reference="x", type="refund", amount="1.250", currency="KWD"
    )
    psp.script(fault)
    assert (await lines_of(client, PAST))[1:] == [
        f"op_x,refund,x,1.250,KWD,{PAST}T12:00:00.000Z",
        f"total,refund,1,1.250,KWD,{PAST}",
        f"end,,1,,,{PAST}",
    ]
    assert len(await lines_of(client, "2019-03-18")) == 2
    psp.lift()
    assert len(await lines_of(client, PAST)) == 2


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        ({"kind": "truncated", "lines": 2}, slice(0, 2)),
        ({"kind": "total"}, (2, f"total,refund,1,1.01,EUR,{PAST}")),
        ({"kind": "count"}, (3, f"end,,99999,,,{PAST}")),
        ({"kind": "nonsense"}, (0, "<html>Please come again later.</html>")),
    ],
)
async def test_a_file_can_be_spoilt(
    psp: Psp, client: httpx.AsyncClient, fault: dict[str, Any], lines: Any
) -> None:
    psp.script(SettlementFault(kind="additional", date=PAST, reference="x", type="refund"))
    true = await lines_of(client, PAST)
    psp.script(SettlementFault(date=PAST, **fault))
    spoilt = (await client.get(f"/v1/settlements/{PAST}")).text.splitlines()
    if isinstance(lines, slice):
        assert spoilt == true[lines]
    else:
        where, text = lines
        assert spoilt[where] == text
        assert fault["kind"] == "nonsense" or [*spoilt[:where], *spoilt[where + 1 :]] == [
            *true[:where],
            *true[where + 1 :],
        ]
