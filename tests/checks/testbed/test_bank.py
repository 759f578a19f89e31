"""The bank simulator keeps its protocol, and behaves towards a payee as scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from checks.testbed.bank import Bank, BankConduct

PAYEE = {"name": "Rowan Tools", "bank_account": "GB12AB34"}
ORDER = {"amount": "12.50", "currency": "GBP", "payee": PAYEE, "reference": "po_1"}


@pytest_asyncio.fixture
async def bank() -> AsyncIterator[Bank]:
    async with Bank("secret", lines=2) as running:
        yield running


@pytest_asyncio.fixture
async def client(bank: Bank) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(base_url=bank.lines[0].url, headers=headers, timeout=20) as opened:
        yield opened


async def order(client: httpx.AsyncClient, key: str = "po_1", **changed: Any) -> httpx.Response:
    return await client.post("/v1/payments", json=ORDER | changed, headers={"Idempotency-Key": key})


async def test_a_payment_is_made_once_under_its_key(bank: Bank, client: httpx.AsyncClient) -> None:
    first, again = await order(client), await order(client)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.json().items() >= ORDER.items()
    assert (first.json()["status"], first.json()["reason"]) == ("accepted", None)
    found = await client.get("/v1/payments/po_1")
    assert (found.status_code, found.json()) == (200, first.json())
    assert [entry.effect for entry in bank.journal("GB12AB34")] == [True, False, False]


async def test_a_key_serves_one_order(client: httpx.AsyncClient) -> None:
    await order(client)
    other = await order(client, amount="13.00")
    assert (other.status_code, other.json()) == (409, {"error": "key_reused"})


async def test_a_payment_changes_and_is_told_as_it_is(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    made = (await order(client)).json()
    told = bank.become("po_1", "returned", "closed_account")
    assert told == made | {"status": "returned", "reason": "closed_account"}
    assert (await client.get("/v1/payments/po_1")).json() == told
    assert (await order(client)).json() == told
    with pytest.raises(KeyError):
        bank.become("po_2", "paid", None)


async def test_a_payee_may_be_rejected_and_no_other(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.conduct("GB12AB34", BankConduct(answers="rejected", reason="unknown_bank"))
    rejected = (await order(client)).json()
    assert (rejected["status"], rejected["reason"]) == ("rejected", "unknown_bank")
    payee = {"name": "Ash Optics", "bank_account": "GB56CD78"}
    assert (await order(client, "po_2", payee=payee)).json()["status"] == "accepted"
    assert [entry.effect for entry in bank.journal("GB12AB34")] == [False]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("how", [{"status": 500}, {"nonsense": True}, {"withheld": "drop"}])
async def test_what_is_not_said_is_done_or_not(
    bank: Bank, client: httpx.AsyncClient, how: dict[str, Any], done: bool
) -> None:
    bank.conduct("GB12AB34", BankConduct(done=done, **how))
    try:
        answer = await order(client)
        assert answer.status_code == how.get("status", 201 if done else 503)
        assert answer.text in ('{"error": "unavailable"}', '{"id": "')
    except httpx.TransportError:
        assert how == {"withheld": "drop"}
    bank.lift()
    found = await client.get("/v1/payments/po_1")
    assert found.status_code == (200 if done else 404)
    assert [entry.effect for entry in bank.journal("GB12AB34")] == [done, False]


async def test_members_are_told_otherwise_and_payments_hidden(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.conduct("GB12AB34", BankConduct(members={"amount": "12.51"}, hidden=True))
    assert (await order(client)).json()["amount"] == "12.51"
    hidden = await client.get("/v1/payments/po_1")
    assert (hidden.status_code, hidden.json()) == (404, {"error": "not_found"})
    bank.conduct("GB12AB34", None)
    assert (await client.get("/v1/payments/po_1")).json()["amount"] == "12.50"


async def test_what_hangs_is_cut_when_it_is_lifted(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.conduct("GB12AB34", BankConduct(withheld="hang"))
    asking = asyncio.create_task(order(client))
    await bank.wait(1, 20, "GB12AB34")
    assert not asking.done()
    bank.lift()
    with pytest.raises(httpx.TransportError):
        await asking


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"method": "GET", "url": "/v1/payments/po_9"}, 404),
        ({"method": "GET", "url": "/v1/payment"}, 404),
        ({"method": "DELETE", "url": "/v1/payments/po_9"}, 404),
        ({"json": ORDER}, 422),
        ({"json": ORDER | {"amount": "12.5"}, "headers": {"Idempotency-Key": "k"}}, 422),
        ({"json": ORDER | {"amount": 1250}, "headers": {"Idempotency-Key": "k"}}, 422),
        ({"json": ORDER | {"more": "x"}, "headers": {"Idempotency-Key": "k"}}, 422),
        ({"json": {"payee": "x"}, "headers": {"Idempotency-Key": "k"}}, 422),
        ({"json": ["x"], "headers": {"Idempotency-Key": "k"}}, 422),
        ({"json": ORDER, "headers": {"Authorization": "Bearer other"}}, 401),
    ],
)
async def test_what_is_refused(
    client: httpx.AsyncClient, asked: dict[str, Any], status: int
) -> None:
    answer = await client.request(**({"method": "POST", "url": "/v1/payments"} | asked))
    assert answer.status_code == status
    assert answer.json()["error"]
