"""Section 4 of the contract: transfers."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from payments.dependencies import Context
from testkit.api import Merchant, money


async def test_a_transfer_moves_money_between_merchants(
    merchant: Merchant, other: Merchant
) -> None:
    source, target = await merchant.account(1000), await other.account()
    body = {"from": source, "to": target, "amount": money(300), "reference": "rent"}
    made = await merchant.post("/v1/transfers", body)
    assert made.status_code == 201
    shown = made.json()
    assert {k: shown[k] for k in body} == body
    assert shown["reverses"] is None
    assert shown["reversed_by"] is None
    for party in (merchant, other):
        assert (await party.get(f"/v1/transfers/{shown['id']}")).json() == shown
        assert (await party.get("/v1/transfers")).json()["data"] == [shown]
    assert await merchant.balance(source) == (700, 0, 700)
    assert await other.balance(target) == (300, 0, 300)
    entry = (await other.entries(target))[0]
    assert (entry["kind"], entry["reference"], entry["amount"]["amount"]) == (
        "transfer",
        shown["id"],
        300,
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"from": "theirs", "to": "source"}, 404, "account_not_found"),
        ({"from": "acc_" + "0" * 32}, 404, "account_not_found"),
        ({"to": "acc_" + "0" * 32}, 404, "account_not_found"),
        ({"to": "source"}, 422, "same_account"),
        ({"to": "euro"}, 422, "currency_mismatch"),
        ({"amount": money(1, "EUR")}, 422, "currency_mismatch"),
        ({"amount": money(1001)}, 422, "insufficient_funds"),
        ({"id": "tr_1"}, 422, "validation_failed"),
        ({"reference": ""}, 422, "validation_failed"),
    ],
)
async def test_transfers_that_are_refused(
    merchant: Merchant, other: Merchant, change: dict[str, Any], status: int, code: str
) -> None:
    names = {
        "source": await merchant.account(1000),
        "theirs": await other.account(1000),
        "euro": await merchant.account(0, "EUR"),
    }
    body = {"from": names["source"], "to": names["theirs"], "amount": money(10)}
    changed = {k: names.get(v, v) if isinstance(v, str) else v for k, v in change.items()}
    answer = await merchant.post("/v1/transfers", body | changed)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await merchant.balance(names["source"]) == (1000, 0, 1000)
    assert await other.balance(names["theirs"]) == (1000, 0, 1000)


async def test_who_got_the_money_gives_it_back_once(
    merchant: Merchant, other: Merchant, http: httpx.AsyncClient
) -> None:
    source, target = await merchant.account(1000), await other.account()
    body = {"from": source, "to": target, "amount": money(300)}
    made = (await merchant.post("/v1/transfers", body)).json()
    path = f"/v1/transfers/{made['id']}/reversal"
    assert (await merchant.post(path)).status_code == 403
    answers = await asyncio.gather(*(other.post(path, {}) for _ in range(5)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 4
    back = next(a.json() for a in answers if a.status_code == 201)
    assert (back["from"], back["to"], back["reverses"]) == (target, source, made["id"])
    original = (await merchant.get(f"/v1/transfers/{made['id']}")).json()
    assert original["reversed_by"] == back["id"]
    again = await merchant.post(f"/v1/transfers/{back['id']}/reversal")
    assert (again.status_code, again.json()["code"]) == (409, "not_reversible")
    assert await merchant.balance(source) == (1000, 0, 1000)
    assert (await other.entries(target))[0]["kind"] == "transfer_reversal"


async def test_what_is_spent_cannot_be_given_back(merchant: Merchant, other: Merchant) -> None:
    source, target, third = await merchant.account(9), await other.account(), await other.account()
    body = {"from": source, "to": target, "amount": money(9)}
    made = (await merchant.post("/v1/transfers", body)).json()
    await other.post("/v1/transfers", {"from": target, "to": third, "amount": money(1)})
    answer = await other.post(f"/v1/transfers/{made['id']}/reversal")
    assert (answer.status_code, answer.json()["code"]) == (422, "insufficient_funds")
    assert (await merchant.get(f"/v1/transfers/{made['id']}")).json()["reversed_by"] is None


async def test_a_third_party_sees_nothing(merchant: Merchant, other: Merchant) -> None:
    body = {"from": await merchant.account(5), "to": await merchant.account(), "amount": money(5)}
    made = (await merchant.post("/v1/transfers", body)).json()
    assert (await other.get(f"/v1/transfers/{made['id']}")).status_code == 404
    assert (await other.post(f"/v1/transfers/{made['id']}/reversal")).status_code == 404
    assert (await other.get("/v1/transfers")).json()["data"] == []


async def test_money_is_spent_once_however_many_ask(
    merchant: Merchant, replicas: list[httpx.AsyncClient]
) -> None:
    source, target = await merchant.account(1000), await merchant.account()
    body = {"from": source, "to": target, "amount": money(100)}
    answers = await asyncio.gather(
        *(merchant.on(replicas[n % 2]).post("/v1/transfers", body) for n in range(30))
    )
    assert Counter(a.status_code for a in answers) == {201: 10, 422: 20}
    assert await merchant.balance(source) == (0, 0, 0)
    assert await merchant.balance(target) == (1000, 0, 1000)


async def test_opposite_transfers_all_end(
    merchant: Merchant, replicas: list[httpx.AsyncClient]
) -> None:
    one, two = await merchant.account(1000), await merchant.account(1000)
    pairs = [(one, two), (two, one)] * 20
    answers = await asyncio.gather(
        *(
            merchant.on(replicas[n // 2 % 2]).post(
                "/v1/transfers", {"from": source, "to": target, "amount": money(1)}
            )
            for n, (source, target) in enumerate(pairs)
        )
    )
    assert {a.status_code for a in answers} == {201}
    for account in (one, two):
        posted, _, _ = await merchant.balance(account)
        assert posted == 1000
        assert posted == sum(e["amount"]["amount"] for e in await merchant.entries(account))


async def test_a_locked_account_does_not_hold_up_others(
    merchant: Merchant, context: Context
) -> None:
    locked, free, target = [await merchant.account(10) for _ in range(3)]
    uow = context.database.unit_of_work()
    async with uow:
        await uow.session.execute(
            text("SELECT 1 FROM balances WHERE account_id = :id FOR UPDATE"), {"id": locked}
        )
        waiting = asyncio.create_task(
            merchant.post("/v1/transfers", {"from": locked, "to": target, "amount": money(1)})
        )
        done = await merchant.post(
            "/v1/transfers", {"from": free, "to": await merchant.account(), "amount": money(1)}
        )
        assert done.status_code == 201
        assert not waiting.done()
    assert (await waiting).status_code == 201


async def test_the_whole_ledger_balances(context: Context) -> None:
    uow = context.database.unit_of_work()
    async with uow:
        unbalanced = await uow.session.execute(
            text(
                "SELECT transaction_id FROM entries GROUP BY transaction_id, currency"
                " HAVING sum(amount) <> 0"
            )
        )
        differing = await uow.session.execute(
            text(
                "SELECT account_id FROM balances WHERE posted <>"
                " (SELECT coalesce(sum(amount), 0) FROM entries e"
                " WHERE e.account_id = balances.account_id)"
            )
        )
    assert unbalanced.all() == []
    assert differing.all() == []
