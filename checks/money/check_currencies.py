"""currency-mismatch: an amount in one currency moves money in another (CWE-1288)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.payouts import Desk, payout_body
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.shapes import Payment
from checks.tenants import Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Vulnerable
from checks.watched import Watched

_HINT = (
    "Compare the amount's currency with that of every account, payment or payout that it is about,"
    " before anything is done, and have the ledger take entries in an account's own currency only."
)

#: Minor units that are sent at most: an account holds more, and so does what they are taken of.
_SENT = 90_000
_HELD = 100_000


def _foreign(fresh: Fresh) -> tuple[str, str]:
    """Currencies other than the pound: one with as many digits, and one with more or fewer."""
    alike = fresh.random.choice(("EUR", "USD", "CHF"))
    return alike, fresh.random.choice(("JPY", "KRW", "KWD", "BHD"))


def _sum(fresh: Fresh, currency: str) -> Money:
    return fresh.money(1_000, _SENT, currency)


@dataclass(frozen=True, slots=True)
class _Card:
    """What the PSP has done to a card, and is to have done no more."""

    psp: Psp
    card: str
    done: int = 0

    async def untouched(self, answer: Answer, what: str) -> None:
        more = effects(await self.psp.journal(self.card))[self.done :]
        if more:
            did = ", ".join(f"{one.type} of {one.amount} {one.currency}" for one in more)
            raise Vulnerable(f"{answer}: {what}, and the PSP was made to do {did}.", _HINT)


async def _refused(
    answer: Answer, what: str, accounts: Sequence[Watched], card: _Card | None = None
) -> None:
    """Nothing moved, and the answer says why."""
    for account in accounts:
        await account.unmoved(answer, what, _HINT)
    if card is not None:
        await card.untouched(answer, what)
    expect_problem(answer, 422, code="currency_mismatch")


@check("currency-mismatch", needs=contract.transfers, competencies=("money.arithmetic",))
async def a_transfer_is_in_one_currency(
    alice: Merchant, bob: Merchant, platform: Platform, fresh: Fresh
) -> None:
    """Deposits and transfers move an amount only between accounts in its own currency."""
    source, own = await alice.funded(), await alice.open_account()
    await alice.transfer(source, own, _sum(fresh, "GBP"))
    for receiver, currency in zip((alice, bob), _foreign(fresh), strict=True):
        pounds = [await Watched.now(alice, account) for account in (source, own)]
        abroad = await Watched.now(receiver, await receiver.open_account(currency))
        for target, sent in (
            (abroad.account, "GBP"),
            (abroad.account, currency),
            (own, currency),
        ):
            amount = _sum(fresh, sent)
            what = f"{amount} went from an account in GBP to one in {target.currency}"
            with probe(f"{amount} from an account in GBP to one in {target.currency}"):
                body = transfer_body(source, target, amount)
                answer = await alice.post("/v1/transfers", body, key=fresh.key())
                await _refused(answer, what, (*pounds, abroad))
        amount = _sum(fresh, currency)
        with probe(f"a deposit of {amount} on an account in GBP"):
            deposit = {"account": own.id, "amount": amount.json()}
            answer = await platform.client.post("/v1/deposits", deposit, key=fresh.key())
            await _refused(answer, f"{amount} was paid into an account in GBP", pounds)


@check(
    "currency-mismatch",
    needs=(*contract.payments, *contract.refunds),
    competencies=("money.arithmetic",),
)
async def a_card_is_charged_in_the_accounts_currency(
    alice: Merchant, psp: Psp, fresh: Fresh
) -> None:
    """Payments, captures and refunds are in the currency of the account and of the payment."""
    account = await alice.funded()
    paid, opened = fresh.card(), fresh.card()
    held = Money(_HELD, "GBP")
    captured = await alice.pay(held, account, card=paid)
    authorised = await alice.pay(held, account, card=opened, capture=False)
    watched = (await Watched.now(alice, account),)
    for currency in _foreign(fresh):
        for capture in (True, False):
            amount, card = _sum(fresh, currency), fresh.card()
            what = f"a {'sale' if capture else 'payment'} of {amount} into an account in GBP"
            with probe(what):
                body = payment_body(account, amount, card, capture=capture)
                answer = await alice.post("/v1/payments", body, key=fresh.key())
                await _refused(answer, f"it was for {what}", watched, _Card(psp, card))
        for payment, token, act in ((authorised, opened, "capture"), (captured, paid, "refunds")):
            amount = _sum(fresh, currency)
            what = f"{act.removesuffix('s')} of {amount} of a payment in GBP"
            with probe(f"a {what}"):
                path, body = f"{payment.url}/{act}", {"amount": amount.json()}
                answer = await alice.post(path, body, key=fresh.key())
                await _refused(answer, f"it was for a {what}", watched, _Card(psp, token, 1))
                await _as_it_was(alice, payment, answer, what)


async def _as_it_was(alice: Merchant, payment: Payment, answer: Answer, what: str) -> None:
    now = await alice.payment(payment)
    if now != payment:
        raise Vulnerable(f"{answer} to a {what}, and the payment became {now.status}.", _HINT)


@check(
    "currency-mismatch",
    needs=(*contract.payouts, *contract.quotes),
    competencies=("money.arithmetic",),
)
async def payouts_and_quotes_keep_the_accounts_currency(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Payouts and conversions are in the currency of the account that they debit."""
    account, desk = await alice.funded(), await Desk.open(alice, testbed)
    payout = await desk.make(account, _sum(fresh, "GBP"))
    watched = (await Watched.now(alice, account),)
    for currency in _foreign(fresh):
        amount, payee = _sum(fresh, currency), fresh.payee()
        with probe(f"a payout of {amount} of an account in GBP"):
            body = payout_body(account, amount, payee)
            answer = await desk.maker.post("/v1/payouts", body, key=fresh.key())
            await _refused(answer, f"a payout of {amount} was made of it", watched)
        with probe(f"a payout in GBP becomes one of {amount}"):
            change: dict[str, Any] = {"amount": amount.json()}
            answer = await desk.maker.patch(payout.url, change)
            await _refused(answer, f"a payout in GBP was changed to {amount}", watched)
        target = await alice.open_account(currency)
        with probe(f"{amount} are to be sold out of an account in GBP"):
            quoted = await alice.post("/v1/quotes", transfer_body(account, target, amount))
            await watched[0].unconverted(alice, quoted, f"it was quoted for {amount}", _HINT)
            expect_problem(quoted, 422, code="currency_mismatch")
