"""Payouts from their approval on (contract 12.12 to 12.16)."""

from __future__ import annotations

from functools import partial
from typing import Any

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.books import Books
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import carried_out
from checks.payouts import Desk
from checks.probes import probe
from checks.registry import check
from checks.shapes import Account, Payee, Payout
from checks.tenants import FUNDS, Merchant
from checks.verdicts import Broken

#: Minor units of a payout.
_LEAST, _MOST = 1_000, 300_000

#: What a bank does that has made a payment, and does not say so.
_UNCLEAR: dict[str, dict[str, Any]] = {
    "drops its reply": {"withheld": "drop"},
    "answers 500": {"status": 500},
    "babbles": {"nonsense": True},
    "names another amount": {"members": {"amount": "1.00"}},
}


@check(
    needs=contract.payouts,
    competencies=("distributed.sagas", "money.ledger"),
)
async def an_approved_payout_is_paid(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """The worker submits an approved payout once, and the bank's notice posts the money."""
    desk, books = await Desk.open(alice, testbed), Books()
    account, amount, payout = await _approved(desk, books, fresh.payee())
    await desk.reached(payout, "submitted")
    await books.agree()
    with probe("a notice of another amount"):
        more = Money(amount.amount + 1, amount.currency)
        answer = await desk.notice(payout, "accepted", status="paid", amount=more.decimal)
        expect_problem(answer, 422, code="notice_mismatch")
        if (await desk.shown(payout)).status != "submitted":
            raise Broken("A notice of another amount changed the payout.")
    with probe("the notice"):
        (await desk.notice(payout, "paid")).expect(204)
        await desk.reached(payout, "paid")
        books.release(account, amount)
        books.payout(account, amount)
        await books.agree()
    await desk.ordered(payout)


@check(
    needs=contract.payouts,
    competencies=("distributed.sagas", "api.contract"),
)
async def a_payout_that_comes_to_nothing_says_why(alice: Merchant, testbed: Testbed) -> None:
    """What the bank rejects, fails to pay or gives back is shown as such, with the reason."""
    desk = await Desk.open(alice, testbed)
    await all_of([_rejected(desk), _failed(desk), _returned(desk)])


async def _rejected(desk: Desk) -> None:
    payee = desk.merchant.fresh.payee()
    with probe("a bank that rejects a payout"):
        await desk.testbed.bank.conduct(
            payee.bank_account, answers="rejected", reason="no such account"
        )
        *_, payout = await _approved(desk, Books(), payee)
        _expect_reason(await desk.reached(payout, "rejected"), "no such account")


async def _failed(desk: Desk) -> None:
    with probe("a bank that fails to pay"):
        *_, payout = await _approved(desk, Books(), desk.merchant.fresh.payee())
        await desk.reached(payout, "submitted")
        (await desk.notice(payout, "failed", "account closed")).expect(204)
        _expect_reason(await desk.reached(payout, "failed"), "account closed")


async def _returned(desk: Desk) -> None:
    """Told by nobody: the service is made to ask. Whether it credits it is another check's."""
    payee = desk.merchant.fresh.payee()
    with probe("a payout that is given back"):
        await desk.testbed.bank.conduct(payee.bank_account, answers="paid")
        *_, payout = await _approved(desk, Books(), payee)
        await desk.reached(payout, "paid")
        await desk.ordered(payout)
        await desk.testbed.bank.become(payout.id, "returned", "account closed")
        synced = await carried_out(partial(desk.merchant.post, f"{payout.url}/sync", {}))
        shown = synced.expect(200).read(Payout)
        if shown.status == "returned":
            _expect_reason(shown, "account closed")
        elif shown.status != "paid":
            raise Broken(f"A payout that was paid, and is given back, is {shown.status}.")


def _expect_reason(payout: Payout, reason: str) -> None:
    if payout.reason != reason:
        raise Broken(f"A payout that is {payout.status} gives {payout.reason!r}, not {reason!r}.")


@check(
    needs=contract.payouts,
    competencies=("distributed.sagas", "resilience.outside-calls"),
)
async def an_unclear_payout_is_settled_by_asking(alice: Merchant, testbed: Testbed) -> None:
    """What the bank did and did not say so is found out by asking, and not done again."""
    desk = await Desk.open(alice, testbed)
    await all_of([_settled_by_asking(desk, what, how) for what, how in _UNCLEAR.items()])


async def _settled_by_asking(desk: Desk, what: str, how: dict[str, Any]) -> None:
    bank, books, payee = desk.testbed.bank, Books(), desk.merchant.fresh.payee()
    with probe(f"a bank that {what}") as attempt:
        await bank.conduct(payee.bank_account, answers="paid", **how)
        account, amount, payout = await _approved(desk, books, payee)
        found = await desk.reached(payout, "unknown", "rejected", "failed")
        held = (await desk.merchant.account(account)).balance.held.money
        await bank.conduct(payee.bank_account)
        if found.status != "unknown" or held != amount:
            attempt.note("The payout was not left open, or not held: another check's matter.")
            return
        await desk.reached(payout, "paid")
        books.release(account, amount)
        books.payout(account, amount)
        await books.agree()
        await desk.ordered(payout)


async def _approved(desk: Desk, books: Books, payee: Payee) -> tuple[Account, Money, Payout]:
    """A payout to a payee that was approved just now, from an account of its own."""
    merchant = desk.merchant
    account = books.open(merchant, await merchant.funded())
    books.deposit(account, Money(FUNDS, "GBP"))
    amount = merchant.fresh.money(_LEAST, _MOST)
    payout = await desk.make(account, amount, payee)
    books.hold(account, amount)
    return account, amount, await desk.approve(payout)
