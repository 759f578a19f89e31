"""fee-split-loses-pence: fee and net are rounded each by itself, and do not add up (CWE-682)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from checks import contract
from checks.amounts import Money, fee
from checks.attachment import Fx
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.probes import probe
from checks.registry import check
from checks.settings import TENTHS
from checks.shapes import Account, Payment, Quote
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Round once: compute the fee, and let the rest be what was captured less the fee, or the other"
    " way round. A ledger that refuses legs which do not sum to zero shows such a mistake at once."
)

#: FEE_BPS and QUOTE_FEE_BPS of ``TENTHS``: the fee of an amount that ends in a five is a tie, and
#: so is the rest of it.
_POINTS = int(TENTHS["FEE_BPS"])

#: From how many minor units to how many are tried: a till's, a house's, and nearly the most that
#: can be asked for (contract 1.10).
_SIZES = ((10, 90_000), (10**6, 10**9), (10**11, 9 * 10**11))

#: Of each size in a conversion, which is to buy no more than can be moved.
_SOLD = _SIZES[:2]

#: A pair of currencies, and a rate at which a minor unit more that is sold buys many.
_PAIR, _RATE = ("ZAR", "HUF"), 120


def _amounts(
    fresh: Fresh, sizes: tuple[tuple[int, int], ...], currency: str
) -> Iterator[tuple[str, Money]]:
    """Amounts of each size, and how fee and rest lie between two minor units.

    If both halves go to even, both go down where the last two digits are 05, 25..., and both go up
    where they are 15, 35...
    """
    for low, high in sizes:
        for ends, what in (
            (5, "two halves over even numbers"),
            (15, "two halves over odd numbers"),
            (fresh.number(1, 4), "less than a half in the fee"),
            (fresh.number(6, 9), "more than a half in the fee"),
        ):
            yield what, Money(20 * fresh.number(low // 20 + 1, high // 20 - 1) + ends, currency)


@dataclass(frozen=True, slots=True)
class _Capture:
    """How a card is charged, an account of its own credited."""

    what: str
    later: bool
    part: bool

    async def take(self, merchant: Merchant, account: Account, amount: Money) -> Payment:
        """Capture so much."""
        if not self.later:
            return await merchant.pay(amount, account)
        more = merchant.fresh.number(1, 90_000) if self.part else 0
        whole = Money(amount.amount + more, amount.currency)
        payment = await merchant.authorise(whole, account)
        return await merchant.capture(payment, amount if self.part else None)


_CAPTURES = (
    _Capture("a sale", later=False, part=False),
    _Capture("a capture of all", later=True, part=False),
    _Capture("a capture of a part", later=True, part=True),
)


@check(
    "fee-split-loses-pence",
    needs=contract.payments,
    exclusive=True,
    settings=TENTHS,
    competencies=("money.arithmetic", "money.ledger"),
)
async def fee_and_net_come_to_what_was_captured(alice: Merchant, fresh: Fresh) -> None:
    """What a capture credits and the fee that it shows come to what was captured."""
    for capture in _CAPTURES:
        for what, amount in _amounts(fresh, _SIZES, "GBP"):
            with probe(f"{capture.what} of {amount}: {what}"):
                account = await alice.open_account(amount.currency)
                payment = await capture.take(alice, account, amount)
                await _adds_up(alice, account, payment, amount)


async def _adds_up(merchant: Merchant, account: Account, payment: Payment, amount: Money) -> None:
    captured, kept = payment.captured.money, payment.fee.money
    if captured != amount:
        raise Broken(f"{captured} of {amount} were captured.")
    net = (await merchant.account(account)).balance.posted.money
    entries = await merchant.entries(account)
    posted = Money(sum(entry.amount.amount for entry in entries), amount.currency)
    said = (
        f"Of {captured} captured, {kept} are shown as the fee, and {net} were credited (by its"
        f" entries, {posted}): together that is {net + kept}."
    )
    if net + kept != captured:
        if abs(net.amount + kept.amount - captured.amount) > 1 + captured.amount // 1_000:
            raise Broken(said)
        raise Vulnerable(said, _HINT)
    if posted != net:
        raise Vulnerable(said, _HINT)


@check(
    "fee-split-loses-pence",
    needs=contract.quotes,
    exclusive=True,
    settings=TENTHS,
    competencies=("money.arithmetic", "money.ledger"),
)
async def what_is_sold_is_the_fee_and_what_is_converted(
    alice: Merchant, fresh: Fresh, fx: Fx
) -> None:
    """A conversion debits what was to be sold, and what it sells is that less the fee."""
    await fx.tell(*_PAIR, rate=str(_RATE))
    for what, sold in _amounts(fresh, _SOLD, _PAIR[0]):
        with probe(f"a conversion of {sold}: {what}"):
            await _converts_the_rest(alice, sold)


async def _converts_the_rest(merchant: Merchant, sold: Money) -> None:
    funds = sold + sold
    source, target = await merchant.funded(funds), await merchant.open_account(_PAIR[1])
    quote = await merchant.quote(source, target, sold)
    if Decimal(quote.rate) != _RATE:
        raise Broken(f"The provider told {_RATE}; the quote's rate is {quote.rate}.")
    path, key = f"{quote.url}/execute", merchant.fresh.key()
    answer = await carried_out(partial(merchant.post, path, {}, key=key))
    done = answer.expect(200).read(Quote)
    debited = funds - (await merchant.account(source)).balance.posted.money
    bought = (await merchant.account(target)).balance.posted.money
    kept = done.fee.money
    rest = Decimal(bought.amount) / _RATE
    said = (
        f"{sold} were to be sold, less a fee of {kept} (10 % of it, half to even, is"
        f" {fee(sold, _POINTS)}): {debited} were debited, the quote says {done.sell.money}, and"
        f" {bought} were bought at {_RATE}, which is what {rest.normalize():f} minor units buy."
    )
    if debited == done.sell.money == sold and abs(rest - (sold - kept).amount) < 1:
        return
    off = (Decimal(debited.amount - sold.amount), rest + kept.amount - sold.amount)
    if any(abs(one) > 2 for one in off):
        raise Broken(said)
    raise Vulnerable(said, _HINT)
