"""Section 12 of the contract: payouts from their approval on, and the bank's notices."""

import asyncio
import time
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from payments.dependencies import Context
from payments.payouts import submission
from testkit.api import Merchant, money
from testkit.bank import FakeBank
from testkit.notices import bring
from testkit.notifier import FakeNotifier

PAYEE = {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"}


class Approved:
    """A payout of 40.00 out of 100.00, approved, and all that can happen to it."""

    def __init__(self, merchant: Merchant, account: str, bank: FakeBank, context: Context) -> None:
        self.merchant = merchant
        self.account = account
        self.bank = bank
        self.context = context
        self.id = ""

    async def make(self, notifier: FakeNotifier) -> None:
        """Make it, by an operator, and approve it, by the owner."""
        operator = await self.merchant.client("operator")
        body = {"account": self.account, "amount": money(4_000), "payee": PAYEE}
        self.id = (await operator.post("/v1/payouts", body)).json()["id"]
        await self.merchant.post(f"/v1/payouts/{self.id}/challenges", {})
        code = {"code": notifier.code(self.id)}
        done = await self.merchant.post(f"/v1/payouts/{self.id}/approve", code)
        assert done.status_code == 200, done.text

    async def work(self) -> None:
        """Let the worker look once, as if all it waits for had come."""
        async with self.context.database.unit_of_work() as uow:
            await uow.session.execute(
                text("UPDATE payouts SET due_at = NULL WHERE id <> :id"), {"id": self.id}
            )
            await uow.session.execute(
                text("UPDATE payouts SET due_at = now() WHERE id = :id"), {"id": self.id}
            )
        await submission.of_due(self.context)

    async def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        found: dict[str, Any] = (await self.merchant.get(f"/v1/payouts/{self.id}")).json()
        return found

    async def status(self) -> str:
        """Its status."""
        return str((await self.shown())["status"])

    async def stands(self, status: str, posted: int, held: int, *kinds: str) -> None:
        """See that it has a status, the account such a balance, and such entries besides."""
        assert await self.status() == status
        assert await self.merchant.balance(self.account) == (posted, held, posted - held)
        made = [e for e in await self.merchant.entries(self.account) if e["reference"] == self.id]
        assert tuple(e["kind"] for e in reversed(made)) == kinds

    async def notice(self, status: str, **rest: Any) -> httpx.Response:
        """The bank's notice that it has become so."""
        return await bring(self.merchant.http, "bank", self.bank.become(self.id, status), **rest)


@pytest_asyncio.fixture(loop_scope="session")
async def payout(
    merchant: Merchant, fake_bank: FakeBank, fake_notifier: FakeNotifier, context: Context
) -> Approved:
    """A payout that is approved."""
    made = Approved(merchant, await merchant.account(10_000), fake_bank, context)
    await made.make(fake_notifier)
    return made


async def test_the_worker_submits_and_a_notice_pays(payout: Approved) -> None:
    await payout.stands("approved", 10_000, 4_000)
    await payout.work()
    await payout.stands("submitted", 10_000, 4_000)
    assert payout.bank.books[payout.id]["amount"] == "40.00"
    assert payout.bank.books[payout.id]["payee"] == PAYEE
    assert (await payout.notice("paid")).status_code == 204
    await payout.stands("paid", 6_000, 0, "payout")
    assert payout.bank.asked(payout.id) == ["POST"]


async def test_several_workers_submit_once(payout: Approved) -> None:
    await asyncio.gather(*(submission.of_due(payout.context) for _ in range(4)))
    assert payout.bank.asked(payout.id) == ["POST"]
    await payout.stands("submitted", 10_000, 4_000)


@pytest.mark.parametrize("answer", ["rejected", "paid"])
async def test_the_banks_reply_may_be_the_end(payout: Approved, answer: str) -> None:
    payout.bank.answers = answer
    await payout.work()
    if answer == "rejected":
        await payout.stands("rejected", 10_000, 0)
        assert (await payout.shown())["reason"] == "closed_account"
    else:
        await payout.stands("paid", 6_000, 0, "payout")


async def test_a_definite_refusal_is_a_rejection(payout: Approved) -> None:
    payout.bank.fault = "422"
    await payout.work()
    await payout.stands("rejected", 10_000, 0)
    assert (await payout.shown())["reason"] == "not_now"


@pytest.mark.parametrize("fault", ["500", "drop", "nonsense"])
async def test_what_is_ambiguous_is_settled_by_asking(payout: Approved, fault: str) -> None:
    payout.bank.fault = fault
    await payout.work()
    await payout.stands("unknown", 10_000, 4_000)
    await payout.work()
    await payout.stands("unknown", 10_000, 4_000)
    payout.bank.fault = None
    await payout.work()
    await payout.stands("submitted", 10_000, 4_000)
    assert list(payout.bank.books).count(payout.id) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "40.01"},
        {"currency": "EUR"},
        {"reference": "po_another"},
        {"payee": PAYEE | {"bank_account": "GB00ANOTHER"}},
        {"status": "processed"},
    ],
)
async def test_a_reply_about_something_else_is_not_believed(
    payout: Approved, changed: dict[str, object]
) -> None:
    payout.bank.changed = {"status": "rejected"} | changed
    await payout.work()
    await payout.stands("unknown", 10_000, 4_000)


async def test_not_found_is_no_rejection(payout: Approved) -> None:
    payout.bank.fault = "drop"
    await payout.work()
    payout.bank.fault, payout.bank.hidden = None, True
    await payout.work()
    assert payout.bank.asked(payout.id)[-2:] == ["GET", "POST"]
    await payout.stands("submitted", 10_000, 4_000)


async def test_what_was_submitted_is_not_submitted_again(payout: Approved) -> None:
    await payout.work()
    payout.bank.hidden = True
    await payout.work()
    assert (await payout.merchant.post(f"/v1/payouts/{payout.id}/sync", {})).status_code == 200
    assert payout.bank.asked(payout.id) == ["POST", "GET", "GET"]
    await payout.stands("submitted", 10_000, 4_000)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("account closed, geschlossen \u00fc", "account closed, geschlossen \u00fc"),
        ("", None),
        ("\x00\x1b[31m" + "x" * 300, "[31m" + "x" * 196),
    ],
)
async def test_a_reason_is_for_people(payout: Approved, reason: str, shown: str | None) -> None:
    payout.bank.answers = "rejected"
    payout.bank.changed = {"reason": reason}
    await payout.work()
    await payout.stands("rejected", 10_000, 0)
    assert (await payout.shown())["reason"] == shown


async def test_what_is_paid_needs_no_reason(payout: Approved) -> None:
    payout.bank.answers, payout.bank.changed = "paid", {"reason": "ok"}
    await payout.work()
    assert (await payout.shown())["reason"] is None


async def test_a_later_moment_is_no_answer(payout: Approved) -> None:
    payout.bank.fault = "429"
    await payout.work()
    await payout.stands("approved", 10_000, 4_000)
    payout.bank.fault = None
    await payout.work()
    await payout.stands("submitted", 10_000, 4_000)


async def test_a_lost_notice_is_made_up_for_by_asking(payout: Approved) -> None:
    await payout.work()
    payout.bank.become(payout.id, "paid")
    synced = await payout.merchant.post(f"/v1/payouts/{payout.id}/sync", {})
    assert (synced.status_code, synced.json()["status"]) == (200, "paid")
    await payout.stands("paid", 6_000, 0, "payout")
    payout.bank.become(payout.id, "returned", "closed_account")
    assert (await payout.merchant.post(f"/v1/payouts/{payout.id}/sync", {})).status_code == 200
    await payout.stands("returned", 10_000, 0, "payout", "payout_return")
    assert (await payout.shown())["reason"] == "closed_account"


async def test_failed_releases_the_hold_once(payout: Approved) -> None:
    await payout.work()
    notice = payout.bank.become(payout.id, "failed", "beneficiary_unknown")
    answers = await asyncio.gather(*(bring(payout.merchant.http, "bank", notice) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {204}
    await payout.stands("failed", 10_000, 0)
    assert (await payout.shown())["reason"] == "beneficiary_unknown"


async def test_returned_credits_by_a_transaction_of_its_own(payout: Approved) -> None:
    await payout.work()
    await payout.notice("paid")
    await payout.notice("returned")
    await payout.notice("returned")
    await payout.stands("returned", 10_000, 0, "payout", "payout_return")


async def test_news_comes_late_twice_and_out_of_order(payout: Approved) -> None:
    await payout.work()
    accepted = payout.bank.become(payout.id, "accepted")
    paid = payout.bank.become(payout.id, "paid")
    returned = payout.bank.become(payout.id, "returned")
    for notice in (returned, paid, accepted, returned, paid):
        assert (await bring(payout.merchant.http, "bank", notice)).status_code == 204
    await payout.stands("returned", 10_000, 0, "payout", "payout_return")


async def test_a_notice_may_overtake_the_reply(payout: Approved) -> None:
    payout.bank.fault = "drop"
    await payout.work()
    payout.bank.fault = None
    assert (await payout.notice("paid")).status_code == 204
    await payout.work()
    await payout.stands("paid", 6_000, 0, "payout")


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "40.01"},
        {"currency": "EUR"},
        {"id": "bnk_another"},
        {"reference": "po_00000000000000000000000000000000"},
        {"payee": PAYEE | {"name": "Somebody else"}},
    ],
)
async def test_a_notice_about_something_else_changes_nothing(
    payout: Approved, change: dict[str, object]
) -> None:
    await payout.work()
    notice = payout.bank.become(payout.id, "paid")
    notice["payment"] |= change
    answer = await bring(payout.merchant.http, "bank", notice)
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_mismatch")
    await payout.stands("submitted", 10_000, 4_000)


async def test_a_notice_about_what_was_never_submitted_changes_nothing(
    merchant: Merchant, fake_bank: FakeBank
) -> None:
    account = await merchant.account(10_000)
    operator = await merchant.client("operator")
    body = {"account": account, "amount": money(4_000), "payee": PAYEE}
    made = (await operator.post("/v1/payouts", body)).json()["id"]
    order = {"amount": "40.00", "currency": "GBP", "payee": PAYEE, "reference": made}
    fake_bank.perform(made, order)
    answer = await bring(merchant.http, "bank", fake_bank.become(made, "paid"))
    assert (answer.status_code, answer.json()["code"]) == (422, "notice_mismatch")
    assert await merchant.balance(account) == (10_000, 4_000, 6_000)


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "another secret"},
        {"secret": ""},
        {"at": 0.0},
        {"at": time.time() + 4_000},
        {"signature": ""},
        {"signature": "t=1,v1="},
        {"signature": f"v1={'0' * 64}"},
        {"signature": f"t={int(time.time())},v1={'0' * 64}"},
    ],
)
async def test_a_notice_that_is_not_signed_does_nothing(
    payout: Approved, how: dict[str, Any]
) -> None:
    await payout.work()
    answer = await payout.notice("paid", **how)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    await payout.stands("submitted", 10_000, 4_000)
