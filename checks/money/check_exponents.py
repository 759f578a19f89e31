"""currency-exponent: amounts of every currency are taken to have two digits (CWE-682)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

from checks import contract
from checks.amounts import Money, converted, exponent
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.evidence import JournalEntry
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.payouts import PROMPT, SETTLED, Desk
from checks.probes import probe
from checks.registry import check
from checks.settlements import expect_whole, fetch
from checks.shapes import Account, Challenge, Payment, Payout
from checks.tenants import FUNDS, Merchant, Platform, payment_body
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Keep the digits of each currency's minor unit in one table (ISO 4217), and take them from it"
    " wherever minor units become a decimal string or another currency, and wherever they are read"
    " back: towards every outside party."
)

#: The currencies that are known at least (contract 1.9).
_KNOWN = (
    "AED", "AUD", "BHD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD",
    "HUF", "IDR", "ILS", "INR", "ISK", "JOD", "JPY", "KRW", "KWD", "MXN", "MYR", "NOK",
    "NZD", "OMR", "PHP", "PLN", "RON", "SAR", "SEK", "SGD", "THB", "TND", "TRY", "USD",
    "VND", "ZAR",
)  # fmt: skip

#: Minor units of a payment or a payout, and of what is sold of others.
_LEAST, _MOST, _SOLD = 1_000, 99_999, 4_000_000

_PAUSE = 0.2

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def _expect_told(told: object, amount: Money, whom: str, what: str) -> None:
    """An outside party was told of an amount with its currency's digits (contract 9.1)."""
    if told == amount.decimal:
        return
    said = f"{whom} was told {told!r} in {amount.currency} {what}, which is of {amount}."
    if _NUMBER.fullmatch(str(told)) and Decimal(str(told)) != Decimal(amount.decimal):
        raise Vulnerable(said, _HINT)
    raise Broken(f"{said} It is a string with {exponent(amount.currency)} digits.")


def _expect_asked(
    journal: Iterable[JournalEntry], due: Mapping[str, Money], answer: Answer
) -> None:
    """The PSP was asked for these amounts, by kinds of operations."""
    missing = set(due)
    for entry in journal:
        kind = entry.path.rpartition("/")[2]
        if entry.method != "POST" or kind not in due:
            continue
        _expect_told(_member(entry, "amount"), due[kind], "The PSP", f"for one of {kind}")
        missing.discard(kind)
    if missing:
        raise Broken(f"{answer}, and the PSP was not asked for {', '.join(sorted(missing))}.")


def _member(entry: JournalEntry, name: str) -> object:
    try:
        body = json.loads(entry.body)
    except ValueError:
        return None
    return body.get(name) if isinstance(body, dict) else None


@dataclass(frozen=True, slots=True)
class _Till:
    """Where cards are charged."""

    merchant: Merchant
    psp: Psp
    fresh: Fresh

    def amount(self, currency: str) -> Money:
        return self.fresh.money(_LEAST, _MOST, currency)

    async def sells(self, currency: str) -> None:
        """A sale is told to the PSP, and credited, in the currency's digits."""
        account, card = await self.merchant.open_account(currency), self.fresh.card()
        amount = self.amount(currency)
        body, key = payment_body(account, amount, card), self.fresh.key()
        answer = await carried_out(partial(self.merchant.post, "/v1/payments", body, key=key))
        _expect_asked(await self.psp.journal(card), {"authorisations": amount}, answer)
        payment = await self._settled(answer, account, amount)
        posted = (await self.merchant.account(account)).balance.posted.money
        if (payment.captured.money, posted) != (amount, amount - payment.fee.money):
            raise Broken(f"Of {amount}, {payment.captured.money} were captured, {posted} credited.")

    async def _settled(self, answer: Answer, account: Account, amount: Money) -> Payment:
        """The payment, once the PSP's answer has been understood."""
        if not ambiguous(answer):
            return answer.expect(201).read(Payment)
        deadline = asyncio.get_running_loop().time() + SETTLED
        while (payment := await self._found(answer, account)).status == "unknown":
            if asyncio.get_running_loop().time() > deadline:
                raise Vulnerable(
                    f"{answer}: the PSP has taken {amount}, and said so each time it was asked; the"
                    f" payment is still {payment.status}, and nobody was credited.",
                    _HINT,
                )
            await asyncio.sleep(_PAUSE)
            await self.merchant.sync(payment)
        return payment

    async def _found(self, answer: Answer, account: Account) -> Payment:
        async for listed, row in self.merchant.walk("/v1/payments"):
            payment = listed.read_value(row, Payment)
            if payment.account == account.id:
                return payment
        raise Broken(f"{answer}, and GET /v1/payments does not list the payment.")

    async def follows_up(self, currency: str) -> None:
        """So are what follows: the capture of a part, a refund of it, and a void."""
        card, account = self.fresh.card(), await self.merchant.open_account(currency)
        whole = self.amount(currency)
        part, back = Money(whole.amount // 2, currency), Money(whole.amount // 4, currency)
        payment = await self.merchant.pay(whole, account, capture=False, card=card)
        due = {"authorisations": whole}
        for act, amount, status in (("capture", part, 200), ("refunds", back, 201)):
            path, body = f"{payment.url}/{act}", {"amount": amount.json()}
            send = partial(self.merchant.post, path, body, key=self.fresh.key())
            answer = await carried_out(send)
            due[f"{act.removesuffix('s')}s"] = amount
            _expect_asked(await self.psp.journal(card), due, answer)
            answer.expect(status)
        card = self.fresh.card()
        payment = await self.merchant.pay(whole, account, capture=False, card=card)
        send = partial(self.merchant.post, f"{payment.url}/void", {}, key=self.fresh.key())
        answer = await carried_out(send)
        due = {"authorisations": whole, "voids": whole}
        _expect_asked(await self.psp.journal(card), due, answer)
        answer.expect(200)


@check(
    "currency-exponent",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    competencies=("money.arithmetic", "resilience.outside-calls"),
)
async def the_psp_is_told_amounts_in_the_currencys_digits(
    alice: Merchant, psp: Psp, fresh: Fresh
) -> None:
    """Cards are charged, and given back, what the minor units come to in each known currency."""
    till = _Till(alice, psp, fresh)
    # Those of other than two digits come first.
    for currency in sorted(_KNOWN, key=lambda one: exponent(one) == 2):
        with probe(f"a sale in {currency}"):
            await till.sells(currency)
    for digits in (0, 3, 2):
        currency = fresh.currency(digits)
        with probe(f"a capture of a part, a refund and a void in {currency}"):
            await till.follows_up(currency)


@check(
    "currency-exponent",
    needs=(
        *contract.payouts,
        "contract/an_approved_payout_is_paid",
        "contract/a_payout_that_comes_to_nothing_says_why",
    ),
    competencies=("money.arithmetic", "resilience.outside-calls"),
)
async def the_bank_is_told_amounts_in_the_currencys_digits(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Approvers read, and the bank pays, what the minor units come to in the currency."""
    desk = await Desk.open(alice, testbed)
    others = [one for one in _KNOWN if exponent(one) != 2]
    approved = []
    # One by one: those of a merchant would race.
    for currency in (*others, fresh.currency(2), "HUF", "IDR"):
        with probe(f"a payout in {currency} is approved"):
            approved.append(await _approved(desk, currency))
    for payout, account in approved:
        with probe(f"the bank pays {payout.amount.money}"):
            await _paid(desk, payout, account)


async def _approved(desk: Desk, currency: str) -> tuple[Payout, Account]:
    """A payout that the bank is to pay at once, and the account that it comes from."""
    merchant, payee = desk.merchant, desk.merchant.fresh.payee()
    account = await merchant.funded(Money(FUNDS, currency))
    await desk.testbed.bank.conduct(payee.bank_account, answers="paid")
    amount = merchant.fresh.money(_LEAST, _MOST, currency)
    payout = await desk.make(account, amount, payee)
    body, key = {"code": await _code(desk, payout)}, merchant.fresh.key()
    approve = partial(merchant.post, f"{payout.url}/approve", body, key=key)
    (await carried_out(approve)).expect(200)
    return payout, account


async def _paid(desk: Desk, payout: Payout, account: Account) -> None:
    """The bank was told of the amount, and what it has paid is debited."""
    asked = await desk.testbed.bank.wait(payout.payee.bank_account, 1, SETTLED)
    orders = [entry for entry in asked if entry.method == "POST"]
    if not orders:
        raise Broken(f"{SETTLED:g} s after its approval the bank was not told of a payout.")
    for order in orders:
        told = _member(order, "amount")
        _expect_told(told, payout.amount.money, "The bank", "for a payout")
    await _debited(desk, payout, account)


async def _code(desk: Desk, payout: Payout) -> str:
    """A code for the owner, whose message names the amount."""
    send = partial(desk.merchant.post, f"{payout.url}/challenges", {})
    answer = await carried_out(send)
    answer.expect(201).read(Challenge)
    found = await desk.testbed.notifier.wait(payout.id, 1, PROMPT)
    if not found:
        raise Broken(f"{answer}, and no message about it was sent.")
    amount = payout.amount.money
    _expect_told(_member(found[-1], "amount"), amount, "The approver", "for a payout")
    return str(_member(found[-1], "code"))


async def _debited(desk: Desk, payout: Payout, account: Account) -> None:
    """What the bank has paid is debited, once its answer has been understood."""
    deadline = asyncio.get_running_loop().time() + SETTLED
    while (shown := await desk.shown(payout)).status != "paid":
        if asyncio.get_running_loop().time() > deadline:
            held = (await desk.merchant.account(account)).balance.posted.money
            said = (
                f"The bank has paid {payout.amount.money}, and said so each time it was asked; the"
                f" payout is {shown.status}, and the account still has {held}."
            )
            raise Vulnerable(said, _HINT) if shown.status == "unknown" else Broken(said)
        await asyncio.sleep(_PAUSE)


@check(
    "currency-exponent",
    needs=(*contract.payments, "contract/a_file_that_is_not_whole_is_not_believed"),
    competencies=("money.arithmetic", "resilience.outside-calls"),
)
async def a_settlement_file_is_read_in_the_currencys_digits(
    platform: Platform, psp: Psp, fresh: Fresh
) -> None:
    """A settlement file's amounts are read with the digits of each known currency."""
    day = f"2000-{fresh.number(1, 12):02}-{fresh.number(1, 28):02}"
    told = [fresh.money(_LEAST, _MOST, currency) for currency in _KNOWN]
    for amount in told:
        row: dict[str, Any] = {"amount": amount.decimal, "currency": amount.currency}
        reference = f"op_{fresh.word(24)}"
        await psp.settlement_fault("additional", date=day, reference=reference, **row)
    with probe(f"a settlement file of movements in {len(told)} currencies"):
        settlement = await fetch(platform, day)
        totals = {one.amount.currency: one.amount.money for one in settlement.totals}
        for amount in told:
            if totals.get(amount.currency, amount) != amount:
                raise Vulnerable(
                    f"The PSP's file tells of {amount}; the settlement's total is"
                    f" {totals[amount.currency]}.",
                    _HINT,
                )
        expect_whole(settlement, told)


@check("currency-exponent", needs=contract.quotes, competencies=("money.arithmetic",))
async def a_conversion_minds_the_digits_of_both_currencies(alice: Merchant, fresh: Fresh) -> None:
    """A rate is one of whole units: what is bought is counted in the minor units of its own."""
    for digits in permutations((0, 2, 3), 2):
        sold, bought = (fresh.currency(one) for one in digits)
        with probe(f"a conversion from {sold} to {bought}"):
            await _converts(alice, fresh.money(_SOLD // 2, _SOLD, sold), bought)


async def _converts(merchant: Merchant, sold: Money, currency: str) -> None:
    source, target = await merchant.funded(sold), await merchant.open_account(currency)
    quote = await merchant.quote(source, target, sold)
    path, key = f"{quote.url}/execute", merchant.fresh.key()
    (await carried_out(partial(merchant.post, path, {}, key=key))).expect(200)
    got = (await merchant.account(target)).balance.posted.money
    worth = converted(sold - quote.fee.money, Decimal(quote.rate), currency)
    # A minor unit more or less is another flaw's.
    if abs(got.amount - worth.amount) > 1 + worth.amount // 1_000:
        raise Vulnerable(
            f"{sold} less a fee of {quote.fee.money}, sold at {quote.rate} {currency} for one"
            f" {sold.currency}, bought {got}; that is worth {worth}.",
            _HINT,
        )
