"""Transfers and their reversals (contract 4)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money, money
from checks.books import Books
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.registry import check
from checks.shapes import Account, Transfer
from checks.tenants import FUNDS, Merchant, transfer_body
from checks.verdicts import Broken


async def _books(owner: Merchant, *others: tuple[Merchant, Account]) -> tuple[Books, Account]:
    """Books on a funded account of the owner's, and on the others."""
    books = Books()
    source = books.open(owner, await owner.funded())
    books.deposit(source, Money(FUNDS, "GBP"))
    for merchant, account in others:
        books.open(merchant, account)
    return books, source


@check(needs=contract.deposits, competencies=("money.ledger",))
async def a_transfer_moves_money(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """A transfer moves money between a merchant's accounts and to another merchant; both see it."""
    own, theirs = await alice.open_account(), await bob.open_account()
    books, source = await _books(alice, (alice, own), (bob, theirs))
    for target in (own, theirs):
        amount, reference = fresh.money(100, 5000), fresh.reference()
        body = transfer_body(source, target, amount) | {"reference": reference}
        answer = (await alice.post("/v1/transfers", body, key=fresh.key())).expect(201)
        made = answer.read(Transfer)
        if (made.from_, made.to, made.amount.money, made.reference) != (
            source.id,
            target.id,
            amount,
            reference,
        ):
            raise Broken(f"{answer} with {made}.")
        books.transfer(source, target, amount)
        viewers = (alice, bob) if target is theirs else (alice,)
        for viewer in viewers:
            shown = (await viewer.get(made.url)).expect(200).read(Transfer)
            listed = [item["id"] async for _, item in viewer.walk("/v1/transfers")]
            if shown != made or listed.count(made.id) != 1:
                raise Broken(f"{viewer.actor} does not see the transfer {made.id} as it was made.")
    back = fresh.money(1, 100)
    await alice.transfer(own, source, back)
    books.transfer(own, source, back)
    await books.agree()


@check(needs=contract.transfers, competencies=("security.authorisation",))
async def a_transfer_concerns_two_merchants(
    alice: Merchant, bob: Merchant, carol: Merchant, fresh: Fresh
) -> None:
    """Two merchants see a transfer between them, and a third does not."""
    theirs = await bob.open_account()
    books, source = await _books(alice, (bob, theirs))
    amount = fresh.money(100, 5000)
    made = await alice.transfer(source, theirs, amount)
    books.transfer(source, theirs, amount)
    expect_absent(await carol.get(made.url), (source.id, theirs.id))
    if [item async for _, item in carol.walk("/v1/transfers")]:
        raise Broken("GET /v1/transfers lists a transfer that does not concern the caller.")
    await books.agree()


@check(needs=contract.transfers, competencies=("money.ledger", "api.validation"))
async def a_transfer_that_cannot_be_is_refused(alice: Merchant, fresh: Fresh) -> None:
    """Too much, the same account, an unknown account: refused without effect."""
    target = await alice.open_account()
    books, source = await _books(alice, (alice, target))
    amount = fresh.money(100, 5000)
    nowhere = target.model_copy(update={"id": f"acc_{fresh.word(26)}"})
    refusals = (
        (transfer_body(source, target, Money(FUNDS + 1, "GBP")), 422, "insufficient_funds"),
        (transfer_body(source, source, amount), 422, "same_account"),
        (transfer_body(source, nowhere, amount), 404, "account_not_found"),
        (transfer_body(nowhere, target, amount), 404, "account_not_found"),
    )
    for body, status, code in refusals:
        answer = await alice.post("/v1/transfers", body, key=fresh.key())
        expect_problem(answer, status, code=code)
    await books.agree()
    everything = Money(FUNDS, "GBP")
    await alice.transfer(source, target, everything)
    books.transfer(source, target, everything)
    await books.agree()


@check(needs=contract.transfers, competencies=("money.ledger", "db.transactions"))
async def a_transfer_is_reversed_once(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """The receiver gives a transfer back, once, and a reversal stands."""
    theirs = await bob.open_account()
    books, source = await _books(alice, (bob, theirs))
    amount = fresh.money(100, 5000)
    made = await alice.transfer(source, theirs, amount)
    books.transfer(source, theirs, amount)
    path = f"{made.url}/reversal"
    reversal = await bob.reverse(made)
    books.transfer(theirs, source, amount, reversal=True)
    if (reversal.from_, reversal.to, reversal.amount.money, reversal.reverses) != (
        theirs.id,
        source.id,
        amount,
        made.id,
    ):
        raise Broken(f"The reversal of {made} is {reversal}.")
    shown = (await alice.get(made.url)).expect(200).read(Transfer)
    if shown.reversed_by != reversal.id:
        raise Broken(f"{made.id} is reversed by {reversal.id}, but shows {shown.reversed_by}.")
    expect_problem(await bob.post(path, {}, key=fresh.key()), 409, code="already_reversed")
    again = await alice.post(f"{reversal.url}/reversal", {}, key=fresh.key())
    expect_problem(again, 409, code="not_reversible")
    await books.agree()


@check(needs=contract.transfers, competencies=("money.ledger",))
async def what_was_spent_cannot_be_given_back(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """A reversal beyond what is available is refused without effect."""
    theirs, elsewhere = await bob.open_account(), await bob.open_account()
    books, source = await _books(alice, (bob, theirs), (bob, elsewhere))
    amount = money("30.00 GBP")
    made = await alice.transfer(source, theirs, amount)
    await bob.transfer(theirs, elsewhere, money("0.01 GBP"))
    books.transfer(source, theirs, amount)
    books.transfer(theirs, elsewhere, money("0.01 GBP"))
    refused = await bob.post(f"{made.url}/reversal", {}, key=fresh.key())
    expect_problem(refused, 422, code="insufficient_funds")
    await books.agree()
