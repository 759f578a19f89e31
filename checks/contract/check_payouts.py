"""Payouts until they are approved (contract 12.1 to 12.11)."""

from __future__ import annotations

from typing import Any

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.books import Books
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.payouts import Desk, clear_of_midnight, payout_body
from checks.probes import probe
from checks.registry import check
from checks.settings import DAILY_LIMIT
from checks.shapes import Account, Payout
from checks.tenants import Merchant
from checks.verdicts import Broken

#: Seconds that a day must have left for a check of its limit.
_ABOUT_TO_END = 20.0

#: Minor units that an account holds, and that are paid out of it at most.
_FUNDS, _PAID_OUT = 900_000, 300_000

#: What a payout may be as soon as it is approved, if the worker is quick.
_APPROVED = ("approved", "unknown", "submitted", "paid")

#: How a notifier behaves that sends no message.
_SENDS_NOTHING: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"withheld": "drop"},
    {"withheld": "hang"},
)


@check(
    needs=contract.deposits,
    competencies=("security.authentication", "money.ledger"),
)
async def a_payout_is_approved(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """A payout holds its amount, and another person approves it with the code that was sent."""
    desk, account, books = await _opened(alice, testbed)
    amount, payee = fresh.money(1_000, _PAID_OUT), fresh.payee()
    payout = await desk.make(account, amount, payee)
    books.hold(account, amount)
    shown = (payout.account, payout.amount.money, payout.payee, payout.status, payout.approved_by)
    if shown != (account.id, amount, payee, "awaiting_approval", None):
        raise Broken(f"A payout of {amount} to {payee} is {payout}.")
    await _expect_shown(alice, payout)
    await books.agree()

    code, key = await desk.code(payout), fresh.key()
    path = f"{payout.url}/approve"
    wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"
    expect_problem(
        await alice.post(path, {"code": wrong}, key=fresh.key()), 422, code="code_invalid"
    )
    expect_problem(await alice.post(path, {"code": code}), 400, code="idempotency_key_missing")
    first = (await alice.post(path, {"code": code}, key=key)).expect(200)
    approved = first.read(Payout)
    if approved.status not in _APPROVED or approved.approved_by != alice.facts.owner.id:
        raise Broken(f"An approved payout is {approved}.")
    again = (await alice.post(path, {"code": code}, key=key)).expect(200)
    if again.json != first.json or not again.replayed:
        raise Broken(f"{again} to a repeat, and not as the first was answered.")
    late = await alice.post(path, {"code": code}, key=fresh.key())
    expect_problem(late, 409, 422, code=("not_approvable", "code_invalid"))


@check(needs=contract.payouts, competencies=("money.ledger",))
async def a_payout_is_changed_before_its_approval(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Amount and payee may change before the approval, and the hold goes with the amount."""
    desk, account, books = await _opened(alice, testbed)
    payout = await desk.make(account, fresh.money(1_000, _PAID_OUT))
    more, payee = fresh.money(_PAID_OUT + 1, _FUNDS), fresh.payee()
    for body in ({"amount": more.json()}, {"payee": payee.model_dump()}):
        answer = await desk.maker.patch(payout.url, body)
        changed = answer.expect(200).read(Payout)
    if (changed.amount.money, changed.payee, changed.status) != (more, payee, payout.status):
        raise Broken(f"A payout was changed to {more} to {payee}, and is {changed}.")
    books.hold(account, more)
    await books.agree()
    beyond = {"amount": Money(_FUNDS + 1, "GBP").json()}
    answer = await desk.maker.patch(payout.url, beyond)
    expect_problem(answer, 422, code="insufficient_funds")
    await _expect_shown(alice, changed)
    await desk.approve(changed)
    answer = await desk.maker.patch(payout.url, {"payee": fresh.payee().model_dump()})
    expect_problem(answer, 409, code="not_changeable")


@check(needs=contract.payouts, competencies=("money.ledger",))
async def a_payout_is_cancelled(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """A payout that nobody approved can be given up, once, and its money is free again."""
    desk, account, books = await _opened(alice, testbed)
    payout = await desk.make(account, fresh.money(1_000, _PAID_OUT))
    cancelled = (await desk.maker.post(f"{payout.url}/cancel", {})).expect(200).read(Payout)
    if cancelled.status != "cancelled":
        raise Broken(f"A payout was cancelled, and is {cancelled.status}.")
    again = await desk.maker.post(f"{payout.url}/cancel", {})
    expect_problem(again, 409, code="not_cancellable")
    challenge = await alice.post(f"{payout.url}/challenges", {})
    expect_problem(challenge, 409, code="not_approvable")
    await books.agree()


@check(needs=contract.payouts, competencies=("money.ledger", "api.validation"))
async def a_payout_that_cannot_be_is_refused(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """No such account, more than there is, no bank account."""
    desk, account, books = await _opened(alice, testbed)
    nowhere = account.model_copy(update={"id": f"acc_{fresh.word(26)}"})
    amount, payee = fresh.money(1_000, _PAID_OUT), fresh.payee()
    for what, source, total, status, code in (
        ("no account", nowhere, amount, 404, "account_not_found"),
        ("too much money", account, Money(_FUNDS + 1, "GBP"), 422, "insufficient_funds"),
    ):
        with probe(f"a payout of {what}"):
            body = payout_body(source, total, payee)
            answer = await desk.maker.post("/v1/payouts", body, key=fresh.key())
            expect_problem(answer, status, code=code)
    odd = payout_body(account, amount, payee)
    odd["payee"]["bank_account"] = "no account"
    expect_problem(await desk.maker.post("/v1/payouts", odd, key=fresh.key()), 422)
    await books.agree()


@check(needs=contract.payouts, competencies=("money.ledger",))
async def a_days_payouts_have_a_limit(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """What leaves on one day keeps to the limit, to the penny."""
    desk, account, books = await _opened(alice, testbed, funds=2 * DAILY_LIMIT)
    await clear_of_midnight(_ABOUT_TO_END)
    for pence in (DAILY_LIMIT - 1, 1):
        await desk.make(account, Money(pence, "GBP"))
        books.hold(account, Money(pence, "GBP"))
        beyond = payout_body(account, Money(DAILY_LIMIT - pence + 1, "GBP"), fresh.payee())
        answer = await desk.maker.post("/v1/payouts", beyond, key=fresh.key())
        expect_problem(answer, 422, code="daily_limit_exceeded")
    await books.agree()


@check(needs=contract.payouts, competencies=("security.authorisation",))
async def a_payout_is_its_merchants_alone(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Another merchant neither sees a payout nor does anything to it; a viewer sees it."""
    desk, account, books = await _opened(alice, testbed)
    amount = fresh.money(1_000, _PAID_OUT)
    payout = await desk.make(account, amount)
    books.hold(account, amount)
    secrets = (account.id, payout.payee.bank_account)
    code = {"code": await desk.code(payout)}
    expect_absent(await bob.get(payout.url), secrets)
    expect_absent(await bob.request("PATCH", payout.url, {"amount": amount.json()}), secrets)
    for act, body in (("cancel", {}), ("challenges", {}), ("approve", code), ("sync", {})):
        answer = await bob.post(f"{payout.url}/{act}", body, key=fresh.key())
        expect_absent(answer, secrets)
    if [item async for _, item in bob.walk("/v1/payouts")]:
        raise Broken("GET /v1/payouts lists a payout of another merchant's.")
    viewer = await alice.client("viewer")
    (await viewer.get(payout.url)).expect(200)
    await _expect_shown(alice, payout)
    await books.agree()


@check(needs=contract.payouts, competencies=("resilience.outside-calls",))
async def without_a_message_there_is_no_challenge(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A notifier that fails or is silent is answered 503, and a later code approves."""
    desk, account, _ = await _opened(alice, testbed)
    payout = await desk.make(account, fresh.money(1_000, _PAID_OUT))
    for how in _SENDS_NOTHING:
        await testbed.notifier.conduct(payout.id, done=False, **how)
        answer = await alice.post(f"{payout.url}/challenges", {})
        expect_problem(answer, 503, code="notifier_unavailable")
        if "Retry-After" not in answer.headers:
            raise Broken(f"{answer} without Retry-After.")
    await testbed.notifier.conduct(payout.id)
    await desk.approve(payout)


async def _opened(
    merchant: Merchant, testbed: Testbed, funds: int = _FUNDS
) -> tuple[Desk, Account, Books]:
    """A merchant's desk, an account with money on it, and books on that."""
    books, total = Books(), Money(funds, "GBP")
    account = books.open(merchant, await merchant.funded(total))
    books.deposit(account, total)
    return await Desk.open(merchant, testbed), account, books


async def _expect_shown(merchant: Merchant, payout: Payout) -> None:
    shown = (await merchant.get(payout.url)).expect(200).read(Payout)
    listed = [
        answer.read_value(item, Payout) async for answer, item in merchant.walk("/v1/payouts")
    ]
    if shown != payout or listed.count(payout) != 1:
        raise Broken(f"The payout {payout.id} is not shown as it was answered: {shown}.")
