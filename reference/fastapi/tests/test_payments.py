"""Section 6 of the contract: payments, captures, voids."""

import asyncio
from typing import Any

import httpx
import pytest

from payments.dependencies import Context
from payments.operations import reconciliation
from testkit.api import Merchant, money, new_key
from testkit.psp import FakePsp


async def test_a_sale_is_captured_less_the_fee(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    made = await merchant.pay(account, 1234, reference="order 7", description="Shoes")
    assert made.status_code == 201
    payment = made.json()
    assert payment["status"] == "captured"
    assert payment["captured"] == money(1234)
    assert payment["fee"] == money(19)
    assert payment["refunded"] == money(0)
    assert payment["refunds"] == []
    assert await merchant.balance(account) == (1215, 0, 1215)
    entry = (await merchant.entries(account))[0]
    assert (entry["kind"], entry["reference"]) == ("capture", payment["id"])
    assert (await merchant.get(f"/v1/payments/{payment['id']}")).json() == payment
    path, key, body = fake_psp.journal[0]
    assert path == "/v1/authorisations"
    assert body["reference"] == key
    assert (body["amount"], body["currency"], body["capture"]) == ("12.34", "GBP", True)


@pytest.mark.parametrize(
    ("currency", "told"), [("JPY", "1234"), ("KWD", "1.234"), ("EUR", "12.34")]
)
async def test_the_psp_is_told_amounts_by_the_currency(
    merchant: Merchant, fake_psp: FakePsp, currency: str, told: str
) -> None:
    account = await merchant.account(0, currency)
    assert (await merchant.pay(account, 1234, currency=currency)).status_code == 201
    assert fake_psp.journal[0][2]["amount"] == told


@pytest.mark.parametrize(("amount", "fee"), [(100, 2), (300, 4), (33, 0), (34, 1), (1, 0)])
async def test_fees_are_rounded_half_to_even(
    merchant: Merchant, fake_psp: FakePsp, amount: int, fee: int
) -> None:
    account = await merchant.account()
    assert (await merchant.pay(account, amount)).json()["fee"] == money(fee)
    assert (await merchant.balance(account))[0] == amount - fee


async def test_an_authorisation_is_captured_once(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1000, capture=False)).json()
    assert (payment["status"], payment["captured"]) == ("authorised", money(0))
    assert await merchant.balance(account) == (0, 0, 0)
    path = f"/v1/payments/{payment['id']}/capture"
    assert (await merchant.post(path, {"amount": money(1001)})).json()["code"] == "amount_too_large"
    assert (await merchant.post(path, {"amount": money(1, "EUR")})).status_code == 422
    captured = await merchant.post(path, {"amount": money(600)})
    assert (captured.status_code, captured.json()["status"]) == (200, "captured")
    assert captured.json()["captured"] == money(600)
    assert await merchant.balance(account) == (591, 0, 591)
    for again in (path, f"/v1/payments/{payment['id']}/void"):
        assert (await merchant.post(again)).status_code == 409
    assert [o["amount"] for o in fake_psp.done("capture")] == ["6.00"]


async def test_a_void_ends_it(merchant: Merchant, fake_psp: FakePsp) -> None:
    payment = (await merchant.pay(await merchant.account(), 1000, capture=False)).json()
    voided = await merchant.post(f"/v1/payments/{payment['id']}/void")
    assert (voided.status_code, voided.json()["status"]) == (200, "voided")
    for action in ("capture", "void"):
        assert (await merchant.post(f"/v1/payments/{payment['id']}/{action}")).status_code == 409
    refund = await merchant.post(f"/v1/payments/{payment['id']}/refunds", {"amount": money(1)})
    assert (refund.status_code, refund.json()["code"]) == (409, "not_refundable")


async def test_capture_and_void_exclude_each_other(
    merchant: Merchant, replicas: list[httpx.AsyncClient], fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    for _ in range(5):
        payment = (await merchant.pay(account, 1000, capture=False)).json()
        actions = ["capture", "void", "capture", "void"]
        answers = await asyncio.gather(
            *(
                merchant.on(replicas[n % 2]).post(f"/v1/payments/{payment['id']}/{action}")
                for n, action in enumerate(actions)
            )
        )
        assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    assert len(fake_psp.done("capture")) + len(fake_psp.done("void")) == 5


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"account": "acc_" + "0" * 32}, 404),
        ({"amount": money(5, "EUR")}, 422),
        ({"payment_method": "4111"}, 422),
        ({"payment_method": "tok_"}, 422),
        ({"capture": "yes"}, 422),
        ({"capture": None}, 422),
        ({"status": "captured"}, 422),
        ({"fee": money(0)}, 422),
    ],
)
async def test_payments_that_are_refused(
    merchant: Merchant, fake_psp: FakePsp, change: dict[str, Any], status: int
) -> None:
    body = {"account": await merchant.account(), "amount": money(5), "payment_method": "tok_ax"}
    assert (await merchant.post("/v1/payments", body | change)).status_code == status
    assert fake_psp.journal == []


async def test_another_merchant_can_do_nothing_with_it(
    merchant: Merchant, other: Merchant, fake_psp: FakePsp
) -> None:
    payment = (await merchant.pay(await merchant.account(), 1000, capture=False)).json()
    theirs = (await other.pay(await other.account(), 1000)).json()
    path = f"/v1/payments/{payment['id']}"
    captured = (await merchant.post(f"{path}/capture")).json()
    refund = (await merchant.post(f"{path}/refunds", {"amount": money(10)})).json()
    before = len(fake_psp.journal)
    for answer in (
        await other.get(path),
        await other.get(f"{path}/refunds"),
        await other.get(f"{path}/refunds/{refund['id']}"),
        await other.get(f"/v1/payments/{theirs['id']}/refunds/{refund['id']}"),
        await other.post(f"{path}/capture"),
        await other.post(f"{path}/void"),
        await other.post(f"{path}/sync"),
        await other.post(f"{path}/refunds", {"amount": money(1)}),
    ):
        assert answer.status_code == 404
        assert payment["id"] not in answer.text
    body = {"account": captured["account"], "amount": money(5), "payment_method": "tok_ax"}
    assert (await other.post("/v1/payments", body)).status_code == 404
    assert len(fake_psp.journal) == before


async def test_lists_are_filtered(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    captured = (await merchant.pay(account, 300)).json()
    authorised = (await merchant.pay(account, 200, capture=False)).json()
    listed = (await merchant.get("/v1/payments")).json()["data"]
    assert listed == [authorised, captured]
    listed = (await merchant.get("/v1/payments", status="captured")).json()["data"]
    assert listed == [captured]
    assert (await merchant.get("/v1/payments", status="expired")).json()["data"] == []


@pytest.mark.parametrize("fault", ["500", "drop", "hang", "nonsense"])
async def test_no_answer_is_unknown_until_the_psp_tells(
    merchant: Merchant, fake_psp: FakePsp, fault: str
) -> None:
    account, key = await merchant.account(), new_key()
    body = {"account": account, "amount": money(1000), "payment_method": "tok_ax"}
    fake_psp.fault = fault
    answer = await merchant.post("/v1/payments", body, key)
    assert (answer.status_code, answer.json()["status"]) == (202, "unknown")
    path = f"/v1/payments/{answer.json()['id']}"
    assert (await merchant.post(f"{path}/sync")).json()["status"] == "unknown"
    for action in ("capture", "void"):
        assert (await merchant.post(f"{path}/{action}")).status_code == 409
    refund = await merchant.post(f"{path}/refunds", {"amount": money(1)})
    assert refund.status_code == 409
    assert await merchant.balance(account) == (0, 0, 0)

    fake_psp.fault = None
    settled = (await merchant.post(f"{path}/sync")).json()
    assert settled["status"] == "captured"
    assert await merchant.balance(account) == (985, 0, 985)
    assert len(fake_psp.keys()) == 1
    assert len(fake_psp.journal) <= 3
    repeat = await merchant.post("/v1/payments", body, key)
    assert (repeat.status_code, repeat.json()) == (202, answer.json())


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "10.01"},
        {"amount": "10"},
        {"currency": "EUR"},
        {"type": "authorisation"},
        {"reference": "another"},
        {"status": "done"},
        {"authorisation": None},
        {"status": "declined", "amount": "1.00"},
    ],
)
async def test_a_reply_about_something_else_is_not_believed(
    merchant: Merchant, fake_psp: FakePsp, changed: dict[str, object]
) -> None:
    account = await merchant.account()
    fake_psp.changed = changed
    answer = await merchant.pay(account, 1000)
    assert (answer.status_code, answer.json()["status"]) == (202, "unknown")
    assert await merchant.balance(account) == (0, 0, 0)
    fake_psp.changed = {}
    path = f"/v1/payments/{answer.json()['id']}/sync"
    assert (await merchant.post(path)).json()["status"] == "captured"


async def test_one_fault_is_retried_under_the_same_key(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    fake_psp.faults = ["drop"]
    assert (await merchant.pay(await merchant.account(), 1000)).status_code == 201
    assert (len(fake_psp.journal), len(fake_psp.keys())) == (2, 1)


async def test_a_definite_refusal_is_a_decline(merchant: Merchant, fake_psp: FakePsp) -> None:
    fake_psp.faults = ["422"]
    answer = await merchant.pay(await merchant.account(), 1000)
    assert answer.status_code == 402
    shown = (await merchant.get(f"/v1/payments/{answer.json()['payment']}")).json()
    assert shown["status"] == "declined"


async def test_a_declined_capture_may_be_tried_again(merchant: Merchant, fake_psp: FakePsp) -> None:
    payment = (await merchant.pay(await merchant.account(), 1000, capture=False)).json()
    path = f"/v1/payments/{payment['id']}/capture"
    fake_psp.declines = True
    declined = await merchant.post(path)
    assert (declined.status_code, declined.json()["code"]) == (402, "capture_declined")
    fake_psp.declines = False
    assert (await merchant.post(path)).json()["status"] == "captured"


async def test_an_ambiguous_capture_leaves_the_payment_authorised(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1000, capture=False)).json()
    path = f"/v1/payments/{payment['id']}"
    fake_psp.fault = "drop"
    answer = await merchant.post(f"{path}/capture")
    assert (answer.status_code, answer.json()["status"]) == (202, "authorised")
    conflict = await merchant.post(f"{path}/void")
    assert (conflict.status_code, conflict.json()["code"]) == (409, "operation_pending")
    fake_psp.fault = None
    assert (await merchant.post(f"{path}/sync")).json()["status"] == "captured"
    assert await merchant.balance(account) == (985, 0, 985)


async def test_put_off_means_that_nothing_was_done(merchant: Merchant, fake_psp: FakePsp) -> None:
    account, key = await merchant.account(), new_key()
    body = {"account": account, "amount": money(1000), "payment_method": "tok_ax"}
    fake_psp.fault = "429"
    answer = await merchant.post("/v1/payments", body, key)
    assert (answer.status_code, answer.json()["code"]) == (503, "psp_unavailable")
    assert int(answer.headers["retry-after"]) <= 2
    assert (await merchant.get("/v1/payments")).json()["data"] == []
    fake_psp.fault = None
    assert (await merchant.post("/v1/payments", body, key)).status_code == 201


async def test_not_found_is_no_decline(
    merchant: Merchant, fake_psp: FakePsp, context: Context
) -> None:
    fake_psp.fault, fake_psp.hidden = "drop", True
    payment = (await merchant.pay(await merchant.account(), 1000)).json()
    path = f"/v1/payments/{payment['id']}"
    assert (await merchant.post(f"{path}/sync")).json()["status"] == "unknown"
    fake_psp.fault = None
    assert (await merchant.post(f"{path}/sync")).json()["status"] == "captured"
    assert len(fake_psp.done("sale")) == 1


async def test_the_worker_and_a_sync_settle_once(
    merchant: Merchant, fake_psp: FakePsp, context: Context
) -> None:
    account = await merchant.account()
    fake_psp.fault = "drop"
    payment = (await merchant.pay(account, 1000)).json()
    fake_psp.fault = None
    path = f"/v1/payments/{payment['id']}"
    await asyncio.gather(
        *(merchant.post(f"{path}/sync") for _ in range(4)),
        *(reconciliation.of_due(context) for _ in range(4)),
    )
    async with asyncio.timeout(5):
        while (await merchant.post(f"{path}/sync")).json()["status"] != "captured":
            await reconciliation.of_due(context)
    assert await merchant.balance(account) == (985, 0, 985)
    assert len(await merchant.entries(account)) == 1
