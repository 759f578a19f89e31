"""Section 6 of the contract: refunds."""

import asyncio
from collections import Counter

import httpx

from testkit.api import Merchant, money, new_key
from testkit.psp import FakePsp


async def test_refunds_go_back_without_the_fee(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account(100)
    payment = (await merchant.pay(account, 1000)).json()
    path = f"/v1/payments/{payment['id']}/refunds"
    first = await merchant.post(path, {"amount": money(400), "reference": "size"})
    assert first.status_code == 201
    refund = first.json()
    assert (refund["status"], refund["payment"]) == ("succeeded", payment["id"])
    assert await merchant.balance(account) == (685, 0, 685)
    shown = (await merchant.get(f"/v1/payments/{payment['id']}")).json()
    assert (shown["status"], shown["refunded"]) == ("partially_refunded", money(400))
    assert shown["refunds"] == [refund]

    for amount, code in ((601, "refund_exceeds_capture"), (0, "validation_failed")):
        refused = await merchant.post(path, {"amount": money(amount)})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    other_currency = await merchant.post(path, {"amount": money(1, "EUR")})
    assert other_currency.json()["code"] == "currency_mismatch"

    second = (await merchant.post(path, {"amount": money(600)})).json()
    shown = (await merchant.get(f"/v1/payments/{payment['id']}")).json()
    assert (shown["status"], shown["refunded"]) == ("refunded", money(1000))
    assert shown["refunds"] == [refund, second]
    assert (await merchant.get("/v1/payments")).json()["data"] == [shown]
    assert (await merchant.get(path)).json()["data"] == [second, refund]
    assert (await merchant.get(f"{path}/{refund['id']}")).json() == refund
    assert (await merchant.post(path, {"amount": money(1)})).status_code == 422
    entry = (await merchant.entries(account))[0]
    assert (entry["kind"], entry["reference"]) == ("refund", second["id"])


async def test_a_refund_under_another_payment_is_not_found(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    one, two = [(await merchant.pay(account, 1000)).json()["id"] for _ in range(2)]
    refund = (await merchant.post(f"/v1/payments/{one}/refunds", {"amount": money(1)})).json()
    answer = await merchant.get(f"/v1/payments/{two}/refunds/{refund['id']}")
    assert answer.status_code == 404


async def test_simultaneous_refunds_stay_within_the_capture(
    merchant: Merchant, replicas: list[httpx.AsyncClient], fake_psp: FakePsp
) -> None:
    account = await merchant.account(10_000)
    payment = (await merchant.pay(account, 1000)).json()
    path = f"/v1/payments/{payment['id']}/refunds"
    answers = await asyncio.gather(
        *(
            merchant.on(replicas[n % 2]).post(path, {"amount": money(300)}, new_key())
            for n in range(20)
        )
    )
    assert Counter(a.status_code for a in answers) == {201: 3, 422: 17}
    assert len(fake_psp.done("refund")) == 3
    assert await merchant.balance(account) == (10_085, 0, 10_085)


async def test_refunds_stay_within_what_is_available(merchant: Merchant, fake_psp: FakePsp) -> None:
    account, elsewhere = await merchant.account(), await merchant.account()
    payments = [(await merchant.pay(account, 1000)).json()["id"] for _ in range(2)]
    spent = {"from": account, "to": elsewhere, "amount": money(1070)}
    assert (await merchant.post("/v1/transfers", spent)).status_code == 201
    answers = await asyncio.gather(
        *(
            merchant.post(f"/v1/payments/{payment}/refunds", {"amount": money(900)})
            for payment in payments
        )
    )
    assert sorted(a.status_code for a in answers) == [201, 422]
    refused = next(a for a in answers if a.status_code == 422)
    assert refused.json()["code"] == "insufficient_funds"
    assert await merchant.balance(account) == (0, 0, 0)


async def test_an_unknown_refund_stays_reserved_until_it_is_known(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account(1000)
    payment = (await merchant.pay(account, 1000)).json()
    path = f"/v1/payments/{payment['id']}"
    fake_psp.fault = "drop"
    answer = await merchant.post(f"{path}/refunds", {"amount": money(700)})
    assert (answer.status_code, answer.json()["status"]) == (202, "unknown")
    assert await merchant.balance(account) == (1985, 700, 1285)
    fake_psp.fault = None
    more = await merchant.post(f"{path}/refunds", {"amount": money(400)})
    assert (more.status_code, more.json()["code"]) == (422, "refund_exceeds_capture")
    assert (await merchant.get(path)).json()["status"] == "captured"
    settled = (await merchant.post(f"{path}/sync")).json()
    assert (settled["status"], settled["refunded"]) == ("partially_refunded", money(700))
    assert await merchant.balance(account) == (1285, 0, 1285)
    assert len(fake_psp.done("refund")) == 1


async def test_a_declined_refund_is_released(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account(15)
    payment = (await merchant.pay(account, 1000)).json()
    path = f"/v1/payments/{payment['id']}"
    fake_psp.declines = True
    declined = await merchant.post(f"{path}/refunds", {"amount": money(1000)})
    assert (declined.status_code, declined.json()["code"]) == (402, "refund_declined")
    refund = (await merchant.get(f"{path}/refunds/{declined.json()['refund']}")).json()
    assert refund["status"] == "failed"
    assert await merchant.balance(account) == (1000, 0, 1000)
    fake_psp.declines = False
    assert (await merchant.post(f"{path}/refunds", {"amount": money(1000)})).status_code == 201


async def test_a_refund_that_was_put_off_leaves_nothing(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account(1000)
    payment = (await merchant.pay(account, 1000)).json()
    path = f"/v1/payments/{payment['id']}"
    fake_psp.fault = "429"
    answer = await merchant.post(f"{path}/refunds", {"amount": money(700)})
    assert answer.status_code == 503
    assert await merchant.balance(account) == (1985, 0, 1985)
    assert (await merchant.get(path)).json()["refunds"] == []
