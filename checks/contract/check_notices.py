"""What the PSP tells unasked (contract 6.26, 6.27)."""

from __future__ import annotations

from functools import partial

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.expectations import expect_payment, expect_problem
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.notices import bring, left_open, psp_notice
from checks.registry import check
from checks.tenants import Merchant, Platform, payment_body
from checks.verdicts import Broken


@check(needs=contract.payments, competencies=("resilience.outside-calls",))
async def a_notice_settles_a_payment(
    alice: Merchant, platform: Platform, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """The PSP's notice of a sale captures a payment whose outcome is unknown."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    card, amount = fresh.card(), fresh.money(1_000, 90_000)
    fault = await psp.fault("drop_after", "sale", "lookup", token=card)
    unknown = await left_open(alice, payment_body(account, amount, card))
    if unknown is None:
        return
    notice = psp_notice(await _operation(psp, card), fresh)
    taken = await carried_out(partial(bring, "psp", notice, testbed, platform))
    taken.expect(204)
    expect_payment(await alice.payment(unknown), "captured", amount)
    books.capture(account, amount)
    await books.agree()
    await psp.lift(fault)


@check(needs=contract.payments, competencies=("resilience.outside-calls",))
async def an_authorisation_that_has_run_out_is_not_captured(
    alice: Merchant, platform: Platform, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """The PSP's notice that an authorisation has run out ends the payment."""
    account, card, amount = await alice.open_account(), fresh.card(), fresh.money(1_000, 90_000)
    payment = await alice.pay(amount, account, capture=False, card=card)
    authorisation = await _operation(psp, card)
    expiry = authorisation | {"id": f"op_{fresh.word(24)}", "type": "expiry"}
    notice = psp_notice(expiry, fresh)
    answer = await carried_out(partial(bring, "psp", notice, testbed, platform))
    answer.expect(204)
    expect_payment(await alice.payment(payment), "expired", Money(0, amount.currency))
    late = await alice.post(f"{payment.url}/capture", {}, key=fresh.key())
    expect_problem(late, 409, code="not_capturable")
    expect_problem(
        await alice.post(f"{payment.url}/void", {}, key=fresh.key()), 409, code="not_voidable"
    )


@check(needs=contract.payments, competencies=("api.validation",))
async def a_notice_about_nothing_is_refused(
    platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A notice about an operation that nobody asked for, and one that is none, are 422."""
    operation = {
        "id": f"op_{fresh.word(24)}",
        "type": "sale",
        "authorisation": f"auth_{fresh.word(24)}",
        "status": "succeeded",
        "amount": fresh.money(1_000, 9_000).decimal,
        "currency": "GBP",
        "reference": fresh.key(),
        "reason": None,
    }
    answer = await bring("psp", psp_notice(operation, fresh), testbed, platform)
    expect_problem(answer, 422, code="notice_mismatch")
    expect_problem(await bring("psp", b'{"id": 1}', testbed, platform), 422)


async def _operation(psp: Psp, card: str) -> dict[str, object]:
    """The first operation that the PSP has on a card; how many there are, other checks see."""
    told = await psp.told(card)
    if not told:
        raise Broken("A payment made no operation at the PSP.")
    return told[0]
