"""Section 5 of the contract: idempotency."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from payments.dependencies import Context
from payments.idempotency.expiry import forget_expired
from payments.idempotency.requests import parse_key
from payments.kit.problems import Problem
from testkit.api import Caller, Merchant, money, new_key
from testkit.psp import FakePsp

REPLAYED = "idempotency-replayed"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        (r'"a\"b\\c"', r"a\"b\\c".replace("\\\\", "\\").replace('\\"', '"')),
        ("a b", "a b"),
        ("~" * 255, "~" * 255),
        ('"', '"'),
    ],
)
def test_keys_are_quoted_or_bare(header: str, key: str) -> None:
    assert parse_key(header) == key


@pytest.mark.parametrize("header", [None, "", '""', "~" * 256, "caf\xe9", "a\tb", "\x7f"])
def test_other_keys_are_refused(header: str | None) -> None:
    with pytest.raises(Problem) as refused:
        parse_key(header)
    assert refused.value.status == 400


async def test_a_key_is_required(merchant: Merchant) -> None:
    source, target = await merchant.account(10), await merchant.account()
    body = {"from": source, "to": target, "amount": money(1)}
    for path, sent in (
        ("/v1/transfers", body),
        ("/v1/payments", {"account": source, "amount": money(1), "payment_method": "tok_ax"}),
        (f"/v1/payments/pay_{'0' * 32}/capture", {}),
        (f"/v1/payments/pay_{'0' * 32}/void", {}),
        (f"/v1/payments/pay_{'0' * 32}/refunds", {"amount": money(1)}),
        (f"/v1/transfers/tr_{'0' * 32}/reversal", {}),
    ):
        answer = await merchant.send("POST", path, json=sent)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert await merchant.balance(source) == (10, 0, 10)


async def test_a_repeat_gets_the_first_answer_and_has_no_effect(
    merchant: Merchant, replicas: list[httpx.AsyncClient]
) -> None:
    source, target = await merchant.account(10), await merchant.account()
    body = {"from": source, "to": target, "amount": money(4)}
    key = new_key()
    first = await merchant.post("/v1/transfers", body, key)
    assert (first.status_code, REPLAYED in first.headers) == (201, False)
    shuffled = dict(reversed(body.items()))
    for repeat in (
        await merchant.on(replicas[1]).post("/v1/transfers", body, key),
        await merchant.post("/v1/transfers", shuffled, f'"{key}"'),
    ):
        assert (repeat.status_code, repeat.json()) == (201, first.json())
        assert repeat.headers[REPLAYED] == "true"
    assert await merchant.balance(source) == (6, 0, 6)


async def test_a_key_is_good_for_one_request(merchant: Merchant) -> None:
    source, target = await merchant.account(10), await merchant.account()
    body = {"from": source, "to": target, "amount": money(4)}
    key = new_key()
    made = (await merchant.post("/v1/transfers", body, key)).json()
    for path, sent in (
        ("/v1/transfers", body | {"amount": money(5)}),
        ("/v1/transfers", body | {"reference": None}),
        (f"/v1/transfers/{made['id']}/reversal", None),
    ):
        answer = await merchant.post(path, sent, key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await merchant.balance(source) == (6, 0, 6)


async def test_keys_of_merchants_do_not_meet(
    merchant: Merchant, other: Merchant, admin: Caller
) -> None:
    key = new_key()
    for one in (merchant, other):
        source, target = await one.account(10), await one.account()
        body = {"from": source, "to": target, "amount": money(4)}
        answer = await one.post("/v1/transfers", body, key)
        assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
        deposit = {"account": source, "amount": money(1)}
    assert (await admin.post("/v1/deposits", deposit, key)).status_code == 201
    assert REPLAYED in (await admin.post("/v1/deposits", deposit, key)).headers


async def test_twins_have_one_effect(
    merchant: Merchant, replicas: list[httpx.AsyncClient], fake_psp: FakePsp
) -> None:
    source, target = await merchant.account(100), await merchant.account()
    transfer = {"from": source, "to": target, "amount": money(4)}
    payment = {"account": source, "amount": money(1000), "payment_method": "tok_twinx"}
    for path, body in (("/v1/transfers", transfer), ("/v1/payments", payment)):
        key = new_key()
        answers = await asyncio.gather(
            *(merchant.on(replicas[n % 2]).post(path, body, key) for n in range(12))
        )
        made = [a for a in answers if a.status_code == 201]
        assert len({a.json()["id"] for a in made}) == 1
        assert sum(REPLAYED not in a.headers for a in made) == 1
        for waiting in (a for a in answers if a.status_code != 201):
            assert waiting.status_code == 409
            assert waiting.json()["code"] == "idempotency_key_in_flight"
            assert int(waiting.headers["retry-after"]) <= 2
    assert (await merchant.balance(target))[0] == 4
    assert len(fake_psp.keys()) == 1


async def test_a_refusal_of_state_is_evaluated_again(merchant: Merchant, admin: Caller) -> None:
    source, target = await merchant.account(), await merchant.account()
    body = {"from": source, "to": target, "amount": money(4)}
    key = new_key()
    assert (await merchant.post("/v1/transfers", body, key)).status_code == 422
    await admin.post("/v1/deposits", {"account": source, "amount": money(4)})
    assert (await merchant.post("/v1/transfers", body, key)).status_code == 201


async def test_a_declined_card_is_replayed(merchant: Merchant, fake_psp: FakePsp) -> None:
    account, key = await merchant.account(), new_key()
    body = {"account": account, "amount": money(1000), "payment_method": "tok_declinedx"}
    fake_psp.declines = True
    first = await merchant.post("/v1/payments", body, key)
    assert (first.status_code, first.json()["code"]) == (402, "card_declined")
    fake_psp.declines = False
    repeat = await merchant.post("/v1/payments", body, key)
    assert (repeat.status_code, repeat.json()) == (402, first.json())
    assert repeat.headers[REPLAYED] == "true"
    assert repeat.headers["content-type"] == "application/problem+json"
    assert len(fake_psp.journal) == 1


async def test_keys_are_forgotten_after_a_day(context: Context, merchant: Merchant) -> None:
    source, target = await merchant.account(20), await merchant.account()
    body = {"from": source, "to": target, "amount": money(4)}
    keys = [new_key(), new_key()]
    for key in keys:
        await merchant.post("/v1/transfers", body, key)
    uow = context.database.unit_of_work()
    async with uow:
        await uow.session.execute(
            text(
                "UPDATE idempotency_keys SET created_at = created_at - CAST(:age AS interval)"
                " WHERE scope = :scope AND key = :key"
            ),
            {"age": timedelta(hours=25), "scope": merchant.id, "key": keys[0]},
        )
    await forget_expired(context)
    assert (await merchant.post("/v1/transfers", body, keys[1])).headers[REPLAYED] == "true"
    again = await merchant.post("/v1/transfers", body, keys[0])
    assert (again.status_code, REPLAYED in again.headers) == (201, False)
