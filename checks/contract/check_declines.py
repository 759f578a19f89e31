"""What the PSP declines (contract 6.1, 6.14)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp
from checks.books import Books
from checks.expectations import expect_payment, expect_problem
from checks.fresh import Fresh
from checks.processor import effects
from checks.registry import check
from checks.shapes import Payment
from checks.tenants import FUNDS, Merchant, payment_body
from checks.testbed.faults import Operation
from checks.verdicts import Broken


@check(needs=contract.sales, competencies=("resilience.outside-calls",))
async def a_declined_card_is_answered_402(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A declined card is 402, names the payment, and credits nothing."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    for capture in (True, False):
        card, key = fresh.card(), fresh.key()
        await psp.fault("decline", "authorisation", "sale", token=card)
        body = payment_body(account, fresh.money(100, 9000), card, capture=capture)
        declined = await alice.post("/v1/payments", body, key=key)
        expect_problem(declined, 402, code="card_declined")
        id_ = declined.members.get("payment")
        payment = (await alice.get(f"/v1/payments/{id_}")).expect(200).read(Payment)
        expect_payment(payment, "declined", Money(0, "GBP"))
        late = await alice.post(f"{payment.url}/capture", {}, key=fresh.key())
        expect_problem(late, 409, code="not_capturable")
        if effects(await psp.journal(card)):
            raise Broken("A declined card was charged.")
    await books.agree()


#: What is done to a payment, by the PSP's word and the path's.
_FOLLOW_UPS: tuple[tuple[Operation, str], ...] = (
    ("capture", "capture"),
    ("void", "void"),
    ("refund", "refunds"),
)


@check(
    needs=(*contract.payments, *contract.voids, *contract.refunds),
    competencies=("resilience.outside-calls",),
)
async def a_declined_follow_up_is_answered_402(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A declined capture, void or refund is 402, changes nothing, and may be tried again."""
    books = Books()
    account = books.open(alice, await alice.funded())
    books.deposit(account, Money(FUNDS, "GBP"))
    for name, path in _FOLLOW_UPS:
        card, amount = fresh.card(), fresh.money(1_000, 9_000)
        payment = await alice.pay(amount, account, capture=name == "refund", card=card)
        if name == "refund":
            books.capture(account, amount)
        body = {"amount": amount.json()} if name == "refund" else {}
        fault = await psp.fault("decline", name, token=card)
        declined = await alice.post(f"{payment.url}/{path}", body, key=fresh.key())
        expect_problem(declined, 402, code=f"{name}_declined")
        if declined.members.get("payment") != payment.id:
            raise Broken(f"{declined}, without a member payment that names {payment.id}.")
        shown = await alice.payment(payment)
        if (shown.status, shown.captured) != (payment.status, payment.captured):
            raise Broken(f"{declined}, and yet the payment is {shown.status}.")
        await books.agree()
        await psp.lift(fault)
        (await alice.post(f"{payment.url}/{path}", body, key=fresh.key())).expect(200, 201)
        done = [effect.type for effect in effects(await psp.journal(card))]
        if done.count(name) != 1:
            raise Broken(f"The PSP was made to do {done}.")
        if name == "capture":
            books.capture(account, amount)
        if name == "refund":
            books.refund(account, amount)
    await books.agree()
