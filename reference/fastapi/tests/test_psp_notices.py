"""Rules 6.26 and 6.27: what the PSP tells unasked."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from payments.dependencies import Context
from payments.operations import reconciliation
from testkit.api import Merchant, money, new_key
from testkit.notices import bring
from testkit.psp import FakePsp


def told(psp: FakePsp, kind: str) -> dict[str, Any]:
    """The notice of the newest operation of a kind."""
    operation = psp.done(kind)[-1]
    return {"id": f"ntc_{operation['id']}", "operation": operation}


def expired(psp: FakePsp) -> dict[str, Any]:
    """The notice that the newest authorisation has run out."""
    operation = psp.done("authorisation")[-1] | {"id": "op_expiry", "type": "expiry"}
    return {"id": "ntc_expiry", "operation": operation}


async def taken(answer: httpx.Response) -> None:
    assert answer.status_code == 204, answer.text
    assert answer.content == b""


async def test_a_notice_settles_what_is_unknown_and_nothing_settles_it_twice(
    merchant: Merchant, fake_psp: FakePsp, context: Context
) -> None:
    account, key = await merchant.account(), new_key()
    fake_psp.fault = "drop"
    unknown = await merchant.pay(account, 1_000, key=key)
    assert (unknown.status_code, unknown.json()["status"]) == (202, "unknown")
    notice = told(fake_psp, "sale")
    answers = await asyncio.gather(*(bring(merchant.http, "psp", notice) for _ in range(4)))
    for answer in answers:
        await taken(answer)
    assert await merchant.balance(account) == (985, 0, 985)
    fake_psp.fault = None
    path = f"/v1/payments/{unknown.json()['id']}"
    assert (await merchant.post(f"{path}/sync", {})).json()["status"] == "captured"
    await reconciliation.of_due(context)
    await taken(await bring(merchant.http, "psp", notice))
    assert await merchant.balance(account) == (985, 0, 985)


async def test_a_notice_and_the_reply_settle_once(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    fake_psp.fault = "hang"
    paying = asyncio.create_task(merchant.pay(account, 1_000))
    async with asyncio.timeout(5):
        while not fake_psp.done("sale"):
            await asyncio.sleep(0.01)
    await taken(await bring(merchant.http, "psp", told(fake_psp, "sale")))
    assert await merchant.balance(account) == (985, 0, 985)
    fake_psp.reset()
    assert (await paying).json()["status"] == "captured"
    assert await merchant.balance(account) == (985, 0, 985)


async def test_a_declined_refund_is_released_by_its_notice(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account(1_000)
    payment = (await merchant.pay(account, 1_000)).json()
    fake_psp.fault, fake_psp.declines = "drop", True
    refunds = f"/v1/payments/{payment['id']}/refunds"
    refund = await merchant.post(refunds, {"amount": money(400)})
    assert (refund.status_code, refund.json()["status"]) == (202, "unknown")
    assert await merchant.balance(account) == (1_985, 400, 1_585)
    await taken(await bring(merchant.http, "psp", told(fake_psp, "refund")))
    assert await merchant.balance(account) == (1_985, 0, 1_985)


async def test_a_stale_notice_undoes_nothing(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()
    path = f"/v1/payments/{payment['id']}"
    await merchant.post(f"{path}/capture", {})
    for notice in (told(fake_psp, "authorisation"), expired(fake_psp)):
        await taken(await bring(merchant.http, "psp", notice))
    assert (await merchant.get(path)).json()["status"] == "captured"
    assert await merchant.balance(account) == (985, 0, 985)


async def test_an_authorisation_that_has_run_out_is_captured_no_more(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()
    path = f"/v1/payments/{payment['id']}"
    for _ in range(2):
        await taken(await bring(merchant.http, "psp", expired(fake_psp)))
    assert (await merchant.get(path)).json()["status"] == "expired"
    for act, code in (("capture", "not_capturable"), ("void", "not_voidable")):
        answer = await merchant.post(f"{path}/{act}", {})
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    await taken(await bring(merchant.http, "psp", told(fake_psp, "authorisation")))
    assert (await merchant.get(path)).json()["status"] == "expired"


async def test_an_expiry_waits_for_a_capture_that_may_have_been_done(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()
    path = f"/v1/payments/{payment['id']}"
    fake_psp.fault = "drop"
    assert (await merchant.post(f"{path}/capture", {})).status_code == 202
    waits = await bring(merchant.http, "psp", expired(fake_psp))
    assert (waits.status_code, waits.json()["code"]) == (409, "operation_pending")
    assert int(waits.headers["retry-after"]) <= 2
    await taken(await bring(merchant.http, "psp", told(fake_psp, "capture")))
    await taken(await bring(merchant.http, "psp", expired(fake_psp)))
    assert (await merchant.get(path)).json()["status"] == "captured"


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "10.01"},
        {"currency": "EUR"},
        {"type": "authorisation"},
        {"type": "expiry"},
        {"reference": "op_00000000000000000000000000000000"},
    ],
)
async def test_a_notice_about_something_else_changes_nothing(
    merchant: Merchant, fake_psp: FakePsp, change: dict[str, str]
) -> None:
    account = await merchant.account()
    fake_psp.fault = "drop"
    payment = (await merchant.pay(account, 1_000)).json()
    notice = told(fake_psp, "sale")
    notice["operation"] = notice["operation"] | change
    answer = await bring(merchant.http, "psp", notice)
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_mismatch")
    assert (await merchant.get(f"/v1/payments/{payment['id']}")).json()["status"] == "unknown"
    assert await merchant.balance(account) == (0, 0, 0)


async def test_a_settled_sale_keeps_its_authorisation(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    await merchant.pay(await merchant.account(), 1_000)
    notice = told(fake_psp, "sale")
    notice["operation"] = notice["operation"] | {"authorisation": "auth_another"}
    answer = await bring(merchant.http, "psp", notice)
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_mismatch")


async def test_an_expiry_is_of_an_authorisation(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()
    path = f"/v1/payments/{payment['id']}"
    fake_psp.declines = True
    assert (await merchant.post(f"{path}/void", {})).status_code == 402
    notice = told(fake_psp, "void")
    changed = {"type": "expiry", "status": "succeeded"}
    notice["operation"] = notice["operation"] | changed
    answer = await bring(merchant.http, "psp", notice)
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_mismatch")
    assert (await merchant.get(path)).json()["status"] == "authorised"


async def test_an_expiry_that_overtakes_the_authorisation_waits(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    fake_psp.fault = "drop"
    taken = await merchant.pay(await merchant.account(), 1_000, capture=False)
    path = f"/v1/payments/{taken.json()['id']}"
    answer = await bring(merchant.http, "psp", expired(fake_psp))
    assert (answer.status_code, answer.json()["code"]) == (409, "operation_pending")
    await bring(merchant.http, "psp", told(fake_psp, "authorisation"))
    assert (await bring(merchant.http, "psp", expired(fake_psp))).status_code == 204
    assert (await merchant.get(path)).json()["status"] == "expired"


async def test_a_follow_up_names_its_authorisation(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()
    fake_psp.fault = "drop"
    await merchant.post(f"/v1/payments/{payment['id']}/capture", {})
    notice = told(fake_psp, "capture")
    notice["operation"] = notice["operation"] | {"authorisation": "auth_another"}
    answer = await bring(merchant.http, "psp", notice)
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_mismatch")
    assert await merchant.balance(account) == (0, 0, 0)


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "another secret"},
        {"secret": "secret-of-the-bank-for-tests"},
        {"at": time.time() - 4_000},
        {"signature": ""},
    ],
)
async def test_a_notice_that_is_not_signed_does_nothing(
    merchant: Merchant, fake_psp: FakePsp, how: dict[str, Any]
) -> None:
    account = await merchant.account()
    fake_psp.fault = "drop"
    await merchant.pay(account, 1_000)
    answer = await bring(merchant.http, "psp", told(fake_psp, "sale"), **how)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    assert await merchant.balance(account) == (0, 0, 0)
