"""Section 3 of the contract: accounts and ledger."""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payments.dependencies import Context
from payments.kit.ids import new_id
from payments.ledger import service as ledger
from payments.ledger.models import Kind
from testkit.api import Caller, Merchant, money


async def test_an_account_starts_empty(merchant: Merchant) -> None:
    made = await merchant.post("/v1/accounts", {"name": "Till", "currency": "JPY"})
    assert made.status_code == 201
    body = made.json()
    nothing = money(0, "JPY")
    assert body["balance"] == {"posted": nothing, "held": nothing, "available": nothing}
    shown = await merchant.get(f"/v1/accounts/{body['id']}")
    assert shown.json() == body
    assert shown.headers["etag"] == f'"{body["version"]}"'
    assert (await merchant.get("/v1/accounts")).json() == {"data": [body], "next_cursor": None}


async def test_another_merchant_does_not_see_it(merchant: Merchant, other: Merchant) -> None:
    account = await merchant.account(5)
    for path in (f"/v1/accounts/{account}", f"/v1/accounts/{account}/entries"):
        answer = await other.get(path)
        assert answer.status_code == 404
        assert account not in answer.text
    how: dict[str, Any] = {"json": {"name": "x"}, "headers": {"If-Match": '"1"'}}
    assert (await other.send("PATCH", f"/v1/accounts/{account}", **how)).status_code == 404
    assert (await merchant.get("/v1/accounts/bank:GBP")).status_code == 404


async def test_a_rename_needs_the_version_that_was_read(merchant: Merchant) -> None:
    path = f"/v1/accounts/{await merchant.account()}"

    async def rename(name: str, **headers: str) -> httpx.Response:
        sent = {header.replace("_", "-"): value for header, value in headers.items()}
        return await merchant.send("PATCH", path, json={"name": name}, headers=sent)

    assert (await rename("a")).status_code == 428
    for stale in ('"0"', '"2"', "1", 'W/"x"', "", '"1'):
        assert (await rename("a", if_match=stale)).status_code in {412, 428}
    done = await rename("a", if_match='"1"')
    assert (done.status_code, done.headers["etag"], done.json()["name"]) == (200, '"2"', "a")
    assert (await rename("b", if_match='"1"')).status_code == 412
    assert (await rename("b", if_match='"7", "2"')).status_code == 200
    assert (await rename("c", if_match="*")).status_code == 200
    answers = await asyncio.gather(*(rename(f"n{n}", if_match='"4"') for n in range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [412] * 7


async def test_deposits_are_entries(merchant: Merchant, admin: Caller) -> None:
    account = await merchant.account()
    deposit = {"account": account, "amount": money(700), "reference": "float"}
    made = await admin.post("/v1/deposits", deposit)
    assert made.status_code == 201
    assert made.json()["reference"] == "float"
    await admin.post("/v1/deposits", deposit | {"amount": money(5)})
    entries = await merchant.entries(account)
    assert [entry["amount"]["amount"] for entry in entries] == [5, 700]
    assert entries[1]["kind"] == "deposit"
    assert entries[1]["reference"] == made.json()["id"]
    assert await merchant.balance(account) == (705, 0, 705)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"account": "acc_" + "0" * 32}, 404, "account_not_found"),
        ({"account": "bank:GBP"}, 422, "validation_failed"),
        ({"amount": money(1, "EUR")}, 422, "currency_mismatch"),
    ],
)
async def test_deposits_that_are_refused(
    merchant: Merchant, admin: Caller, change: dict[str, Any], status: int, code: str
) -> None:
    account = await merchant.account()
    body = {"account": account, "amount": money(1)} | change
    answer = await admin.post("/v1/deposits", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@given(
    st.dictionaries(
        st.sampled_from(["bank:GBP", "fees:GBP", "psp_clearing:GBP"]),
        st.integers(-(10**6), 10**6),
        min_size=1,
    )
)
def test_what_does_not_balance_is_not_posted(legs: dict[str, int]) -> None:
    legs["fees:GBP"] = legs.get("fees:GBP", 0) + 1 - sum(legs.values())

    async def post() -> None:
        await ledger.post(None, Kind.CAPTURE, "pay_x", "GBP", legs)  # type: ignore[arg-type]

    with pytest.raises(ledger.UnbalancedError):
        asyncio.run(post())


async def test_one_object_moves_money_of_a_kind_once(context: Context, merchant: Merchant) -> None:
    account = await merchant.account()
    reference = new_id("pay")
    legs = {"psp_clearing:GBP": -5, account: 5}
    uow = context.database.unit_of_work()
    async with uow:
        await ledger.post(uow.session, Kind.CAPTURE, reference, "GBP", legs)
    with pytest.raises(DBAPIError):
        async with uow:
            await ledger.post(uow.session, Kind.CAPTURE, reference, "GBP", legs)
    assert await merchant.balance(account) == (5, 0, 5)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET amount = amount + 1",
        "DELETE FROM entries",
        "UPDATE transactions SET kind = 'x'",
        "DELETE FROM transactions",
    ],
)
async def test_what_is_posted_stays(context: Context, merchant: Merchant, statement: str) -> None:
    await merchant.account(10)
    uow = context.database.unit_of_work()
    with pytest.raises(DBAPIError, match="immutable"):
        async with uow:
            await uow.session.execute(text(statement))


async def test_the_database_refuses_what_the_service_should_never_do(
    context: Context, merchant: Merchant
) -> None:
    account = await merchant.account(10)
    uow = context.database.unit_of_work()
    for change in ("posted = posted - 11", "held = held + 11", "held = held - 1"):
        with pytest.raises(DBAPIError, match="balances"):
            async with uow:
                await uow.session.execute(
                    text(f"UPDATE balances SET {change} WHERE account_id = :id"), {"id": account}
                )
