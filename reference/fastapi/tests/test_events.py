"""Section 16 of the contract: what merchants are told."""

import asyncio
from typing import Any

from payments.dependencies import Context
from payments.payouts import submission
from testkit.api import Merchant, money
from testkit.bank import FakeBank
from testkit.notices import bring
from testkit.notifier import FakeNotifier
from testkit.psp import FakePsp

PAYEE = {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"}


async def told(merchant: Merchant, **which: object) -> list[dict[str, Any]]:
    """A merchant's events, oldest first, page by page."""
    found: list[dict[str, Any]] = []
    parameters: dict[str, object] = {"limit": 3, **which}
    while True:
        page = (await merchant.get("/v1/events", **parameters)).json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found[::-1]
        parameters["cursor"] = page["next_cursor"]


def steps(events: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """What happened to one object, with its place."""
    return [(event["sequence"], event["type"]) for event in events]


async def test_an_event_shows_the_object_as_it_was(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()
    captured = (await merchant.post(f"/v1/payments/{payment['id']}/capture", {})).json()
    first, second = await told(merchant, object=payment["id"])
    assert first["data"] == payment
    assert second["data"] == captured
    assert steps([first, second]) == [(1, "payment.authorised"), (2, "payment.captured")]
    assert first["object"] == second["object"] == payment["id"]
    assert first["id"] != second["id"]
    shown = await merchant.get(f"/v1/events/{second['id']}")
    assert shown.json() == second


async def test_money_in_and_moved_is_told_to_both_sides(
    merchant: Merchant, other: Merchant
) -> None:
    mine, second, theirs = (
        await merchant.account(500),
        await merchant.account(),
        await other.account(),
    )
    own = {"from": mine, "to": second, "amount": money(100)}
    across = {"from": mine, "to": theirs, "amount": money(200)}
    kept = (await merchant.post("/v1/transfers", own)).json()
    sent = (await merchant.post("/v1/transfers", across)).json()
    back = (await other.post(f"/v1/transfers/{sent['id']}/reversal", {})).json()
    types = ["deposit.created", *["transfer.created"] * 3, "transfer.reversed"]
    events = await told(merchant)
    assert [event["type"] for event in events] == types
    assert [event["object"] for event in events[1:]] == [
        kept["id"],
        sent["id"],
        back["id"],
        sent["id"],
    ]
    assert events[-1]["sequence"] == 2
    assert events[-1]["data"]["reversed_by"] == back["id"]
    heard = await told(other)
    assert [event["type"] for event in heard] == types[2:]
    assert not {event["id"] for event in events} & {event["id"] for event in heard}


async def test_what_became_of_refunds_is_told_with_their_payment(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account(1_000)
    payment = (await merchant.pay(account, 1_000)).json()
    path = f"/v1/payments/{payment['id']}/refunds"
    part = (await merchant.post(path, {"amount": money(300)})).json()
    fake_psp.declines = True
    assert (await merchant.post(path, {"amount": money(100)})).status_code == 402
    fake_psp.declines = False
    rest = (await merchant.post(path, {"amount": money(700)})).json()
    shown = (await merchant.get(f"/v1/payments/{payment['id']}")).json()["refunds"]
    refused = next(refund for refund in shown if refund["status"] == "failed")
    assert steps(await told(merchant, object=payment["id"])) == [
        (1, "payment.captured"),
        (2, "payment.partially_refunded"),
        (3, "payment.refunded"),
    ]
    ends = {"succeeded": [part["id"], rest["id"]], "failed": [refused["id"]]}
    for status, refunds in ends.items():
        for refund in refunds:
            (event,) = await told(merchant, object=refund)
            assert steps([event]) == [(1, f"refund.{status}")]
            assert event["data"]["status"] == status


async def test_nothing_is_told_of_what_is_unknown_refused_or_repeated(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    fake_psp.fault = "drop"
    unknown = (await merchant.pay(account, 1_000, key="same")).json()
    assert unknown["status"] == "unknown"
    missing = {"from": account, "to": account, "amount": money(1)}
    assert (await merchant.post("/v1/transfers", missing)).status_code == 422
    assert await told(merchant) == []
    fake_psp.fault = None
    path = f"/v1/payments/{unknown['id']}"
    await asyncio.gather(*(merchant.post(f"{path}/sync", {}) for _ in range(3)))
    await merchant.pay(account, 1_000, key="same")
    assert steps(await told(merchant, object=unknown["id"])) == [(1, "payment.captured")]


async def test_declined_voided_and_expired_payments_are_told(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    voided = (await merchant.pay(account, 1_000, capture=False)).json()["id"]
    await merchant.post(f"/v1/payments/{voided}/void", {})
    expired = (await merchant.pay(account, 1_000, capture=False)).json()["id"]
    news = fake_psp.done("authorisation")[-1] | {"id": "op_expiry", "type": "expiry"}
    for _ in range(2):
        await bring(merchant.http, "psp", {"id": "ntc_expiry", "operation": news})
    fake_psp.declines = True
    await merchant.pay(account, 1_000)
    assert [event["type"] for event in await told(merchant)] == [
        "payment.authorised",
        "payment.voided",
        "payment.authorised",
        "payment.expired",
        "payment.declined",
    ]
    assert steps(await told(merchant, object=voided))[-1] == (2, "payment.voided")
    assert steps(await told(merchant, object=expired))[-1] == (2, "payment.expired")


async def test_a_payouts_way_is_told(
    merchant: Merchant, fake_bank: FakeBank, fake_notifier: FakeNotifier, context: Context
) -> None:
    account, operator = await merchant.account(10_000), await merchant.client("operator")
    body = {"account": account, "amount": money(4_000), "payee": PAYEE}
    given_up = (await operator.post("/v1/payouts", body)).json()["id"]
    await operator.post(f"/v1/payouts/{given_up}/cancel", {})
    assert steps(await told(merchant, object=given_up)) == [
        (1, "payout.created"),
        (2, "payout.cancelled"),
    ]
    payout = (await operator.post("/v1/payouts", body)).json()["id"]
    for _ in range(2):
        await operator.send("PATCH", f"/v1/payouts/{payout}", json={"amount": money(3_000)})
    await merchant.post(f"/v1/payouts/{payout}/challenges", {})
    code = {"code": fake_notifier.code(payout)}
    assert (await merchant.post(f"/v1/payouts/{payout}/approve", code)).status_code == 200
    await submission.of_due(context)
    for status in ("returned", "paid"):
        notice = fake_bank.become(payout, status)
        assert (await bring(merchant.http, "bank", notice)).status_code == 204
    events = await told(merchant, object=payout)
    assert [event["data"]["status"] for event in events[:3]] == ["awaiting_approval"] * 2 + [
        "approved"
    ]
    assert steps(events) == [
        (1, "payout.created"),
        (2, "payout.changed"),
        (3, "payout.approved"),
        (4, "payout.submitted"),
        (5, "payout.paid"),
        (6, "payout.returned"),
    ]


async def test_events_of_others_do_not_exist(merchant: Merchant, other: Merchant) -> None:
    await merchant.account(500)
    (event,) = await told(merchant)
    assert (await other.get(f"/v1/events/{event['id']}")).status_code == 404
    assert await told(other, object=event["object"]) == []
    page = (await merchant.get("/v1/events", limit=1)).json()
    assert page["next_cursor"] is None
    assert (await merchant.get("/v1/events", object="no id")).status_code == 422


async def test_a_cursor_is_for_the_same_object(merchant: Merchant, fake_psp: FakePsp) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1_000, capture=False)).json()["id"]
    await merchant.post(f"/v1/payments/{payment}/capture", {})
    page = (await merchant.get("/v1/events", limit=1, object=payment)).json()
    elsewhere = await merchant.get("/v1/events", limit=1, cursor=page["next_cursor"])
    assert elsewhere.status_code == 422
    rest = await merchant.get("/v1/events", limit=1, cursor=page["next_cursor"], object=payment)
    assert [event["sequence"] for event in rest.json()["data"]] == [1]


async def test_simultaneous_changes_of_an_object_are_numbered_without_gaps(
    merchant: Merchant,
) -> None:
    account, operator = await merchant.account(10_000), await merchant.client("operator")
    body = {"account": account, "amount": money(1_000), "payee": PAYEE}
    payout = (await operator.post("/v1/payouts", body)).json()["id"]
    await asyncio.gather(
        *(
            operator.send("PATCH", f"/v1/payouts/{payout}", json={"amount": money(1_001 + n)})
            for n in range(8)
        )
    )
    events = await told(merchant, object=payout)
    assert [event["sequence"] for event in events] == list(range(1, 10))
    now = (await merchant.get(f"/v1/payouts/{payout}")).json()
    assert events[-1]["data"] == now
