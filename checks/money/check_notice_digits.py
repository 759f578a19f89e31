"""currency-exponent: notices are read as if every currency had two digits (CWE-682)."""

from __future__ import annotations

from functools import partial

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.notices import bring, left_open, psp_notice
from checks.payouts import Desk
from checks.probes import probe
from checks.registry import check
from checks.tenants import FUNDS, Merchant, Platform, payment_body
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Read what a notice says with the very function that reads replies, by the exponent of the"
    " payment's own currency (ISO 4217)."
)

#: Digits of currencies whose notices are brought; those of two come last.
_DIGITS = (0, 3, 2)

#: Minor units of a payment or a payout.
_LEAST, _MOST = 1_000, 99_999


@check(
    "currency-exponent",
    needs=(*contract.payments, "contract/a_notice_settles_a_payment"),
    competencies=("money.arithmetic", "resilience.outside-calls"),
)
async def a_notice_of_a_payment_is_read_in_the_currencys_digits(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A sale that a notice settles is credited in each currency, whatever its digits."""
    for digits in _DIGITS:
        currency = fresh.currency(digits)
        amount, card = fresh.money(_LEAST, _MOST, currency), fresh.card()
        account = await alice.open_account(currency)
        fault = await testbed.psp.fault("drop_after", "sale", "lookup", token=card)
        unknown = await left_open(alice, payment_body(account, amount, card))
        told = await testbed.psp.told(card)
        if unknown is None or not told:
            return
        with probe(f"the PSP gives notice of a sale of {amount}"):
            notice = psp_notice(told[0], fresh)
            answer = await carried_out(partial(bring, "psp", notice, testbed, platform))
            shown = await alice.payment(unknown)
            if not answer.ok and shown.status == "unknown":
                raise Vulnerable(
                    f"{answer} to notice of a sale of {amount}, told as {told[0]['amount']}: the"
                    " payment is still unknown, and nobody was credited.",
                    _HINT,
                )
            answer.expect(204)
            if shown.captured.money != amount:
                raise Broken(
                    f"Of {amount}, of which notice was given, {shown.captured.money} were captured."
                )
        await testbed.psp.lift(fault)


@check(
    "currency-exponent",
    needs=(*contract.payouts, "contract/an_approved_payout_is_paid"),
    competencies=("money.arithmetic", "resilience.outside-calls"),
)
async def a_notice_of_a_payout_is_read_in_the_currencys_digits(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A payout that a notice says was paid is debited in each currency, whatever its digits."""
    desk = await Desk.open(alice, testbed)
    for digits in _DIGITS:
        currency = fresh.currency(digits)
        account = await alice.funded(Money(FUNDS, currency))
        payout = await desk.approve(await desk.make(account, fresh.money(_LEAST, _MOST, currency)))
        amount = payout.amount.money
        await desk.reached(payout, "submitted")
        with probe(f"the bank gives notice that it has paid {amount}"):
            answer = await desk.notice(payout, "paid")
            shown = await desk.shown(payout)
            if not answer.ok and shown.status == "submitted":
                raise Vulnerable(
                    f"{answer} to notice that {amount} was paid, told as {amount.decimal}: the"
                    " payout is still submitted, and its amount is held.",
                    _HINT,
                )
            answer.expect(204)
            posted = (await alice.account(account)).balance.posted.money
            if posted != Money(FUNDS, currency) - amount:
                raise Broken(f"{amount} was paid, and the account shows {posted}.")
