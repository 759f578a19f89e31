"""Refunds: partial and full, and where they stand (contract 6.11 to 6.16)."""

from __future__ import annotations

from checks import contract
from checks.amounts import money
from checks.attachment import Psp
from checks.books import Books
from checks.expectations import expect_payment, expect_problem
from checks.fresh import Fresh
from checks.processor import effects
from checks.registry import check
from checks.shapes import Page, Refund
from checks.tenants import Merchant
from checks.verdicts import Broken


@check(needs=contract.payments, competencies=("money.ledger",))
async def a_capture_is_refunded_in_parts(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """Refunds give captured money back, in parts and in full."""
    books = Books()
    account = books.open(alice, await alice.funded(money("500.00 GBP")))
    books.deposit(account, money("500.00 GBP"))
    card, amount = fresh.card(), fresh.money(10_000, 40_000)
    payment = await alice.pay(amount, account, card=card)
    books.capture(account, amount)
    path = f"{payment.url}/refunds"
    first, reference = fresh.money(100, 5_000), fresh.reference()
    body = {"amount": first.json(), "reference": reference}
    refund = (await alice.post(path, body, key=fresh.key())).expect(201).read(Refund)
    if (refund.payment, refund.amount.money, refund.status, refund.reference) != (
        payment.id,
        first,
        "succeeded",
        reference,
    ):
        raise Broken(f"A refund of {first} is {refund}.")
    books.refund(account, first)
    shown = await alice.payment(payment)
    expect_payment(shown, "partially_refunded", amount, first.amount)
    rest = amount - first
    second = await alice.refund(payment, rest)
    books.refund(account, rest)
    shown = await alice.payment(payment)
    expect_payment(shown, "refunded", amount, amount.amount)
    if [item.id for item in shown.refunds] != [refund.id, second.id]:
        raise Broken(f"Payment {payment.id} shows refunds {shown.refunds}, not oldest first.")
    await books.agree()
    done = [(effect.type, effect.amount) for effect in effects(await psp.journal(card))]
    if done != [("sale", amount.decimal), ("refund", first.decimal), ("refund", rest.decimal)]:
        raise Broken(f"The PSP was made to do {done}.")


@check(needs=contract.refunds, competencies=("api.contract",))
async def refunds_stand_under_their_payment(alice: Merchant, fresh: Fresh) -> None:
    """Refunds are listed and shown under their own payment, and under no other."""
    account = await alice.funded()
    payment, other = await alice.pay(account=account), await alice.pay(account=account)
    refund = await alice.refund(payment, money("1.00 GBP"))
    shown = (await alice.get(refund.url)).expect(200).read(Refund)
    page = (await alice.get(f"{payment.url}/refunds")).expect(200).read(Page)
    if shown != refund or [item.get("id") for item in page.data] != [refund.id]:
        raise Broken(f"The refund {refund.id} is not shown as it was made.")
    expect_problem(await alice.get(f"{other.url}/refunds/{refund.id}"), 404)
    empty = (await alice.get(f"{other.url}/refunds")).expect(200).read(Page)
    if empty.data:
        raise Broken(f"{other.id} lists refunds of another payment.")


@check(needs=contract.refunds, competencies=("money.ledger",))
async def a_refund_needs_available_money(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A refund beyond what the account has is refused without effect."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    amount, card = fresh.money(10_000, 20_000), fresh.card()
    payment = await alice.pay(amount, account, card=card)
    books.capture(account, amount)
    refused = await alice.post(f"{payment.url}/refunds", {"amount": amount.json()}, key=fresh.key())
    expect_problem(refused, 422, code="insufficient_funds")
    await books.agree()
    if [effect.type for effect in effects(await psp.journal(card))] != ["sale"]:
        raise Broken("The PSP refunded what the service refused.")
