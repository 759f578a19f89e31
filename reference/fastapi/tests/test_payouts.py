"""Section 12 of the contract: payouts until they are approved."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from payments.app import create_app
from payments.dependencies import Context
from payments.kit.settings import Settings
from testkit.api import Caller, Merchant, money, new_key, token_of
from testkit.notifier import FakeNotifier

PAYEE = {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"}

pytestmark = pytest.mark.usefixtures("fake_bank")


@dataclass
class Shop:
    """A merchant with an account, an operator who makes payouts, and the notifier."""

    owner: Merchant
    operator: Caller
    account: str
    notifier: FakeNotifier

    async def payout(
        self, amount: int = 4_000, currency: str = "GBP", **more: object
    ) -> dict[str, Any]:
        """A payout that the operator made."""
        body = {"account": self.account, "amount": money(amount, currency), "payee": PAYEE}
        made = await self.operator.post("/v1/payouts", body | more)
        assert made.status_code == 201, made.text
        shown: dict[str, Any] = made.json()
        return shown

    async def code(self, payout: str, approver: Caller | None = None) -> str:
        """A new code for an approver."""
        asked = await (approver or self.owner).post(f"/v1/payouts/{payout}/challenges", {})
        assert asked.status_code == 201, asked.text
        return self.notifier.code(payout)

    async def approve(
        self, payout: str, code: str, approver: Caller | None = None, key: str | None = None
    ) -> httpx.Response:
        """Try a code."""
        body = {"code": code}
        return await (approver or self.owner).post(f"/v1/payouts/{payout}/approve", body, key)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(merchant: Merchant, fake_notifier: FakeNotifier) -> Shop:
    """A merchant with 100.00 on an account; its daily limit is twice as much."""
    account = await merchant.account(10_000)
    return Shop(merchant, await merchant.client("operator"), account, fake_notifier)


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_payout_holds_its_amount_and_awaits_approval(shop: Shop) -> None:
    payout = await shop.payout(reference="INV-1")
    assert payout["amount"] == money(4_000)
    assert (payout["payee"], payout["reference"]) == (PAYEE, "INV-1")
    assert (payout["status"], payout["reason"]) == ("awaiting_approval", None)
    assert payout["approved_by"] is None
    assert await shop.owner.balance(shop.account) == (10_000, 4_000, 6_000)
    assert (await shop.owner.get(f"/v1/payouts/{payout['id']}")).json() == payout
    assert (await shop.owner.get("/v1/payouts")).json()["data"] == [payout]


async def test_what_cannot_be_paid_out_is_refused(shop: Shop, other: Merchant) -> None:
    body = {"account": shop.account, "amount": money(4_000), "payee": PAYEE}
    for change, expected in (
        ({"account": await other.account(10_000)}, (404, "account_not_found")),
        ({"amount": money(1, "EUR")}, (422, "currency_mismatch")),
        ({"amount": money(10_001)}, (422, "insufficient_funds")),
        ({"payee": {"name": "x", "bank_account": "gb33"}}, (422, "validation_failed")),
        ({"payee": PAYEE | {"iban": "x"}}, (422, "validation_failed")),
        ({"status": "paid"}, (422, "validation_failed")),
    ):
        assert problem(await shop.operator.post("/v1/payouts", body | change)) == expected
    viewer = await shop.owner.client("viewer")
    assert problem(await viewer.post("/v1/payouts", body)) == (403, "forbidden")
    assert await shop.owner.balance(shop.account) == (10_000, 0, 10_000)


async def test_a_repeat_is_replayed(shop: Shop) -> None:
    body = {"account": shop.account, "amount": money(4_000), "payee": PAYEE}
    key = new_key()
    first = await shop.operator.post("/v1/payouts", body, key)
    again = await shop.operator.post("/v1/payouts", body, key)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert await shop.owner.balance(shop.account) == (10_000, 4_000, 6_000)


async def test_payouts_of_others_do_not_exist(shop: Shop, other: Merchant) -> None:
    payout = (await shop.payout())["id"]
    path = f"/v1/payouts/{payout}"
    assert (await other.get(path)).status_code == 404
    assert (await other.send("PATCH", path, json={"amount": money(1)})).status_code == 404
    for act, body in (
        ("cancel", {}),
        ("challenges", {}),
        ("approve", {"code": "12345678"}),
        ("sync", {}),
    ):
        assert (await other.post(f"{path}/{act}", body)).status_code == 404, act
    assert (await other.get("/v1/payouts")).json()["data"] == []


async def test_the_daily_limit_holds_across_accounts_and_at_once(shop: Shop) -> None:
    accounts = [await shop.owner.account(10_000) for _ in range(4)]
    answers = await asyncio.gather(
        *(
            shop.operator.post(
                "/v1/payouts", {"account": account, "amount": money(9_000), "payee": PAYEE}
            )
            for account in accounts
        )
    )
    made = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [problem(answer) for answer in answers if answer.status_code != 201]
    assert len(made) == 2
    assert refused == [(422, "daily_limit_exceeded")] * 2

    # What is cancelled leaves room, and another currency has a limit of its own.
    assert (await shop.operator.post(f"/v1/payouts/{made[0]['id']}/cancel", {})).status_code == 200
    await shop.payout(9_000)
    yen = await shop.owner.account(20_000, "JPY")
    await shop.payout(20_000, "JPY", account=yen)


async def test_yesterdays_payouts_do_not_count(shop: Shop, context: Context) -> None:
    accounts = [await shop.owner.account(10_000) for _ in range(2)]
    for account in accounts:
        await shop.payout(10_000, account=account)
    body = {"account": shop.account, "amount": money(1), "payee": PAYEE}
    assert problem(await shop.operator.post("/v1/payouts", body)) == (422, "daily_limit_exceeded")
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(
            text(
                "UPDATE payouts SET created_at = created_at - interval '1 day'"
                " WHERE account_id = :account"
            ),
            {"account": accounts[0]},
        )
    await shop.payout(10_000)


async def test_a_change_moves_the_hold_and_keeps_to_the_bounds(shop: Shop) -> None:
    payout = await shop.payout()
    path = f"/v1/payouts/{payout['id']}"
    changed = await shop.operator.send("PATCH", path, json={"amount": money(9_000)})
    assert changed.json() == payout | {"amount": money(9_000)}
    assert await shop.owner.balance(shop.account) == (10_000, 9_000, 1_000)
    payee = {"name": "Ash Optics", "bank_account": "DE02120300000000202051"}
    changed = await shop.operator.send("PATCH", path, json={"amount": money(500), "payee": payee})
    assert changed.json() == payout | {"amount": money(500), "payee": payee}
    assert await shop.owner.balance(shop.account) == (10_000, 500, 9_500)
    for amount, expected in (
        (money(10_001), (422, "insufficient_funds")),
        (money(1, "EUR"), (422, "currency_mismatch")),
    ):
        answer = await shop.operator.send("PATCH", path, json={"amount": amount})
        assert problem(answer) == expected
    rich = await shop.owner.account(30_000)
    await shop.payout(19_000, account=rich)
    answer = await shop.operator.send("PATCH", path, json={"amount": money(1_001)})
    assert problem(answer) == (422, "daily_limit_exceeded")
    assert await shop.owner.balance(shop.account) == (10_000, 500, 9_500)


async def test_a_cancelled_payout_lets_its_money_go_once(shop: Shop) -> None:
    payout = await shop.payout()
    path = f"/v1/payouts/{payout['id']}"
    answers = await asyncio.gather(*(shop.operator.post(f"{path}/cancel", {}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert await shop.owner.balance(shop.account) == (10_000, 0, 10_000)
    assert (await shop.owner.get(path)).json() == payout | {"status": "cancelled"}
    change = await shop.operator.send("PATCH", path, json={"amount": money(1)})
    assert problem(change) == (409, "not_changeable")
    challenge = await shop.owner.post(f"{path}/challenges", {})
    assert problem(challenge) == (409, "not_approvable")


async def test_the_code_is_sent_with_amount_and_payee_and_approves_once(shop: Shop) -> None:
    payout = await shop.payout()
    asked = await shop.owner.post(f"/v1/payouts/{payout['id']}/challenges", {})
    code = shop.notifier.code(payout["id"])
    assert asked.status_code == 201
    assert code not in asked.text
    assert shop.notifier.messages == [
        {
            "to": shop.owner.client_id,
            "payout": payout["id"],
            "amount": "40.00",
            "currency": "GBP",
            "payee": PAYEE,
            "code": code,
        }
    ]
    key = new_key()
    approved = await shop.approve(payout["id"], code, key=key)
    assert approved.status_code == 200
    assert approved.json() == payout | {
        "status": "approved",
        "approved_by": shop.owner.client_id,
    }
    again = await shop.approve(payout["id"], code, key=key)
    assert (again.json(), again.headers["idempotency-replayed"]) == (approved.json(), "true")
    assert problem(await shop.approve(payout["id"], code)) == (409, "not_approvable")
    assert problem(await shop.operator.post(f"/v1/payouts/{payout['id']}/cancel", {})) == (
        409,
        "not_cancellable",
    )


async def test_makers_and_those_they_created_do_not_approve(
    shop: Shop, http: httpx.AsyncClient
) -> None:
    async def created_by(caller: Caller) -> Caller:
        made = await caller.send("POST", "/v1/clients", json={"name": "x", "role": "owner"})
        client = made.json()
        return Caller(http, await token_of(http, client["id"], client["secret"]))

    maker = await created_by(shop.owner)
    child = await created_by(maker)
    grandchild = await created_by(child)
    bystander = await created_by(shop.owner)
    body = {"account": shop.account, "amount": money(1_000), "payee": PAYEE}
    payout = (await maker.post("/v1/payouts", body)).json()["id"]
    for caller in (maker, child, grandchild):
        for act, given in (("challenges", {}), ("approve", {"code": "12345678"})):
            answer = await caller.post(f"/v1/payouts/{payout}/{act}", given)
            assert problem(answer) == (403, "self_approval")
    for caller in (shop.operator, await shop.owner.client("viewer")):
        answer = await caller.post(f"/v1/payouts/{payout}/approve", {"code": "12345678"})
        assert problem(answer) == (403, "forbidden")

    # Whoever changes it has made it too.
    change = await bystander.send("PATCH", f"/v1/payouts/{payout}", json={"amount": money(999)})
    assert change.status_code == 200
    assert problem(await bystander.post(f"/v1/payouts/{payout}/challenges", {})) == (
        403,
        "self_approval",
    )
    assert (await shop.approve(payout, await shop.code(payout))).status_code == 200


async def test_a_code_is_bound_to_amount_and_payee(shop: Shop) -> None:
    payout = (await shop.payout())["id"]
    code = await shop.code(payout)
    path = f"/v1/payouts/{payout}"
    await shop.operator.send("PATCH", path, json={"amount": money(4_001)})
    assert problem(await shop.approve(payout, code)) == (422, "code_invalid")
    # A change back does not revive it.
    await shop.operator.send("PATCH", path, json={"amount": money(4_000)})
    assert problem(await shop.approve(payout, code)) == (422, "code_invalid")
    assert (await shop.approve(payout, await shop.code(payout))).status_code == 200


async def test_a_code_is_good_for_its_approver_payout_and_newest_challenge(shop: Shop) -> None:
    second = await shop.owner.client("owner")
    one, two = (await shop.payout(1_000))["id"], (await shop.payout(1_000))["id"]
    first = await shop.code(one)
    assert problem(await shop.approve(one, first, second)) == (422, "code_invalid")
    assert problem(await shop.approve(two, first)) == (422, "code_invalid")
    newest = await shop.code(one)
    if newest != first:
        assert problem(await shop.approve(one, first)) == (422, "code_invalid")
    assert (await shop.approve(one, newest)).status_code == 200


async def test_five_wrong_codes_block_an_approver_for_good(
    shop: Shop, replicas: list[httpx.AsyncClient]
) -> None:
    payout = (await shop.payout())["id"]
    code = await shop.code(payout)
    guesses = [shop.owner.on(replicas[number % 2]) for number in range(8)]
    answers = await asyncio.gather(
        *(shop.approve(payout, wrong(code), guesser) for guesser in guesses)
    )
    found = sorted(problem(answer) for answer in answers)
    assert found == [(403, "approver_blocked")] * 3 + [(422, "code_invalid")] * 5
    assert problem(await shop.approve(payout, code)) == (403, "approver_blocked")
    challenge = await shop.owner.post(f"/v1/payouts/{payout}/challenges", {})
    assert problem(challenge) == (403, "approver_blocked")
    second = await shop.owner.client("owner")
    answer = await shop.approve(payout, await shop.code(payout, second), second)
    assert answer.status_code == 200


async def test_a_wrong_code_leaves_its_key_unused(shop: Shop) -> None:
    payout = (await shop.payout())["id"]
    code, key = await shop.code(payout), new_key()
    assert problem(await shop.approve(payout, wrong(code), key=key)) == (422, "code_invalid")
    assert (await shop.approve(payout, code, key=key)).status_code == 200


async def test_an_expired_code_is_worth_nothing(shop: Shop, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"sca_code_seconds": 0.001}))
    payout = (await shop.payout())["id"]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as hasty:
        code = await shop.code(payout, shop.owner.on(hasty))
    await app.state.context.close()
    assert problem(await shop.approve(payout, code)) == (422, "code_invalid")


async def test_without_a_message_there_is_no_challenge(shop: Shop) -> None:
    payout = (await shop.payout())["id"]
    code = await shop.code(payout)
    shop.notifier.status = 500
    answer = await shop.owner.post(f"/v1/payouts/{payout}/challenges", {})
    assert problem(answer) == (503, "notifier_unavailable")
    assert int(answer.headers["retry-after"]) <= 2
    # The one before is still the newest.
    assert (await shop.approve(payout, code)).status_code == 200
