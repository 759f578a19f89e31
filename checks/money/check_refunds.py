"""over-refund-serial: refunds one after another give back more than was captured (CWE-841)."""

from __future__ import annotations

from decimal import Decimal

from checks import contract
from checks.amounts import Money, money
from checks.attachment import Psp
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.verdicts import Vulnerable

_HINT = (
    "Add up all refunds of the payment that have not failed, under the payment's lock, and compare"
    " the sum and the new one with what was captured."
)

#: More refunds than a page of a list has, and than anybody would sum by hand.
_PARTS = 24


@check("over-refund-serial", needs=contract.refunds, competencies=("money.ledger",))
async def refunds_in_parts_keep_to_the_capture(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """All refunds of a payment together never exceed its capture, however many there are."""
    card, captured = fresh.card(), fresh.money(50_000, 90_000)
    payment = await alice.pay(captured, await alice.funded(), card=card)
    # Some alike, and the last one small: none of them stands for the others.
    same = fresh.money(500, 900)
    parts = [same] * 3 + [fresh.money(500, 900) for _ in range(_PARTS - 4)] + [money("0.01 GBP")]
    left = captured
    for part in parts:
        await alice.refund(payment, part)
        left -= part
    beyond = Money(left.amount + 1, "GBP")
    with probe(f"{beyond} of {captured}, after {len(parts)} refunds of {captured - left}"):
        answer = await _kept(alice, psp, payment, card, beyond)
        expect_problem(answer, 422, code="refund_exceeds_capture")
    await alice.refund(payment, left)
    with probe("a penny of a payment that was given back whole"):
        answer = await _kept(alice, psp, payment, card, money("0.01 GBP"))
        expect_problem(answer, 409, 422, code=("not_refundable", "refund_exceeds_capture"))


@check("over-refund-serial", needs=contract.refunds, competencies=("money.ledger",))
async def a_refund_keeps_to_what_was_captured(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """What was authorised and not captured is not given back."""
    card, authorised = fresh.card(), fresh.money(50_000, 90_000)
    payment = await alice.pay(authorised, await alice.funded(), card=card, capture=False)
    captured = fresh.money(10_000, 40_000)
    payment = await alice.capture(payment, captured)
    with probe(f"a refund of more than {captured} of {authorised} was captured"):
        beyond = Money(captured.amount + 1, "GBP")
        answer = await _kept(alice, psp, payment, card, beyond)
        expect_problem(answer, 422, code="refund_exceeds_capture")
    part = fresh.money(1_000, 9_000)
    await alice.refund(payment, part)
    with probe(f"another of all that was captured, after one of {part}"):
        answer = await _kept(alice, psp, payment, card, captured)
        expect_problem(answer, 422, code="refund_exceeds_capture")
    await alice.refund(payment, captured - part)


async def _kept(alice: Merchant, psp: Psp, payment: Payment, card: str, amount: Money) -> Answer:
    """Ask for a refund of so much, and see that what was given back is within the capture."""
    body, key = {"amount": amount.json()}, alice.fresh.key()
    answer = await alice.post(f"{payment.url}/refunds", body, key=key)
    done = [item for item in effects(await psp.journal(card)) if item.type == "refund"]
    given = sum((Decimal(item.amount) for item in done), Decimal())
    captured = payment.captured.money
    if given > Decimal(captured.decimal):
        raise Vulnerable(
            f"{answer} to a refund of {amount}: the PSP has given back {given} GBP of a capture of"
            f" {captured} by now (refunds carried out: {len(done)}).",
            _HINT,
        )
    return answer
