"""float-money: fees and conversions that binary fractions make a penny off (CWE-1339)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import permutations
from math import gcd

from checks import contract
from checks.amounts import Money, converted, fee
from checks.attachment import Fx
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.probes import probe
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Account, Payment
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Compute fees and conversions in integers of minor units, or in decimals that were made of"
    " integers and strings and never of a float, and round once, where the contract says so: a fee"
    " half to even, what is bought down."
)

#: Hundredths of a per cent in a whole, and defaults of FEE_BPS and QUOTE_FEE_BPS.
_BASIS, _FEE_BPS, _QUOTE_FEE_BPS = 10_000, 150, 50

#: A FEE_BPS of which each way below gets some amounts of each size wrong.
_UNEVEN_BPS = 875
_UNEVEN = {**PATIENT_CLAIMS, "FEE_BPS": str(_UNEVEN_BPS)}

#: Where it is charged that a fee and the rest are not what they were taken of.
_SPLIT = "money/fee_and_net_come_to_what_was_captured"
_SPLIT_SALE = "money/what_is_sold_is_the_fee_and_what_is_converted"

#: Ways in which a fee comes out a penny off, given minor units and basis points: in pounds that are
#: binary fractions, cut to two digits or not; by a share that is one; by decimals made of such; by
#: halves always going up, or always down.
_FEES: tuple[Callable[[int, int], int], ...] = (
    lambda amount, points: round(round(amount / 100 * points / _BASIS, 2) * 100),
    lambda amount, points: round(amount / 100 * points / _BASIS * 100),
    lambda amount, points: round(amount / 100 * (points / _BASIS) * 100),
    lambda amount, points: round(amount / 100 * points / 100),
    lambda amount, points: round(amount * (points / _BASIS)),
    lambda amount, points: int((Decimal(amount / 100) * points / 100).quantize(Decimal(1))),
    lambda amount, points: int((amount * Decimal(points / _BASIS)).quantize(Decimal(1))),
    lambda amount, points: (2 * amount * points + _BASIS) // (2 * _BASIS),
    lambda amount, points: -((_BASIS - 2 * amount * points) // (2 * _BASIS)),
)

#: From how many minor units to how many fees are tried: a till's, a house's, and nearly the most
#: that can be asked for (contract 1.10).
_SIZES = ((100, 90_000), (10**6, 10**9), (10**11, 8 * 10**11))

#: Amounts that are looked at until one of them comes out wrong in a certain way.
_LOOKS = 2_000

#: Currencies whose rates no other check scripts. Each rate is of a pair of its own, since a service
#: may keep one for a while, and within a few per cent of the others (contract 10.7).
_CURRENCIES = ("AED", "BRL", "CNY", "HKD", "ILS", "INR")
_LOWEST, _HIGHEST = Decimal("1.15"), Decimal("1.20")

#: Digits of a rate after the point, at most (contract 11.1).
_PLACES = 12

#: What is sold is a multiple of so many minor units: less the fee of 0.5 % it is a whole number of
#: tens of thousands.
_SOLD = 2_000_000

#: Ways in which what is bought comes out too low, given minor units and a rate.
_BOUGHT: tuple[Callable[[int, Decimal], int], ...] = (
    lambda rest, rate: int(rest * float(rate)),
    lambda rest, rate: int(rest / 100 * float(rate) * 100),
    lambda rest, rate: int(rest * Decimal(float(rate))),
)


def _rounded_twice(digits: int, amount: int, points: int) -> int:
    return int(round(Decimal(amount) * points / _BASIS, digits).quantize(Decimal(1)))


#: Ways in which one that is next to a tie does: rounded to digits of a minor unit, and again.
_TWICE: tuple[Callable[[int, int], int], ...] = (
    partial(_rounded_twice, 1),
    partial(_rounded_twice, 2),
)


def _telling(fresh: Fresh, points: int) -> list[Money]:
    """Amounts of each size: for each way one that it gets wrong, if it does any."""
    period = _BASIS // gcd(points, _BASIS)
    ways = [(wrong, period) for wrong in _FEES] + [(wrong, 1) for wrong in _TWICE]
    found: dict[Money, None] = {}
    for low, high in _SIZES:
        for wrong, step in ways:
            for _ in range(_LOOKS):
                number = step * fresh.number(low // step, high // step) + step // 2
                amount = Money(number, "GBP")
                if wrong(number, points) != fee(amount, points).amount:
                    found[amount] = None
                    break
    return list(found)


async def _keeps(merchant: Merchant, amount: Money, points: int, *, later: bool) -> None:
    """A capture of so much keeps the fee that is due, to the penny."""
    account = await merchant.open_account(amount.currency)
    payment = await _captured(merchant, account, amount, later=later)
    kept, due = payment.fee.money, fee(amount, points)
    if payment.captured.money != amount:
        raise Broken(f"{payment.captured.money} of {amount} were captured.")
    if kept == due:
        return
    net = (await merchant.account(account)).balance.posted.money
    said = (
        f"Of {amount} captured, {kept} were kept and {net} credited; {points / 100:g} % of it,"
        f" rounded half to even, is {due}."
    )
    if _far(kept, due):
        raise Broken(said)
    if net + kept != amount:
        raise Broken(said, unless=(_SPLIT,))
    raise Vulnerable(said, _HINT)


def _far(shown: Money, due: Money) -> bool:
    """Whether it is another sum altogether, and not one that was computed without precision."""
    return abs(shown.amount - due.amount) > 1 + due.amount // 1_000


async def _captured(merchant: Merchant, account: Account, amount: Money, *, later: bool) -> Payment:
    """A sale, or the capture of a part of an authorisation."""
    if not later:
        return await merchant.pay(amount, account)
    more = Money(amount.amount + merchant.fresh.number(1, 90_000), amount.currency)
    return await merchant.capture(await merchant.authorise(more, account), amount)


async def _keep(merchant: Merchant, fresh: Fresh, points: int) -> None:
    for number, amount in enumerate(_telling(fresh, points)):
        later = number % 2 == 1
        what = "a part of an authorisation" if later else "a sale"
        with probe(f"the fee of {points / 100:g} % on {what}, {amount}"):
            await _keeps(merchant, amount, points, later=later)


@check("float-money", needs=contract.payments, competencies=("money.arithmetic",))
async def a_fee_is_right_to_the_penny(alice: Merchant, fresh: Fresh) -> None:
    """A fee that falls between two pennies is rounded once, half to even, whatever it is on."""
    await _keep(alice, fresh, _FEE_BPS)


@check(
    "float-money",
    needs=contract.payments,
    exclusive=True,
    settings=_UNEVEN,
    competencies=("money.arithmetic",),
)
async def a_fee_of_an_uneven_share_is_right_to_the_penny(alice: Merchant, fresh: Fresh) -> None:
    """A fee of 8.75 per cent is rounded half to even as well; as a float, that is a little less."""
    await _keep(alice, fresh, _UNEVEN_BPS)


@dataclass(frozen=True, slots=True)
class _Sale:
    """Minor units that are sold at a rate, and how exact that is to be, for the record."""

    sold: int
    rate: Decimal
    why: str


def _sales(fresh: Fresh) -> Iterator[_Sale]:
    """What is bought: a whole number of minor units, or a hair less."""
    for wrong in _BOUGHT:
        for _ in range(3):
            yield _whole(fresh, wrong)
    for _ in range(3):
        yield _hair_less(fresh)


def _rate(fresh: Fresh) -> Decimal:
    low, high = (int(rate.scaleb(_PLACES)) for rate in (_LOWEST, _HIGHEST))
    return Decimal(fresh.number(low, high)).scaleb(-_PLACES)


def _rest(sold: int) -> int:
    return sold - fee(Money(sold, "GBP"), _QUOTE_FEE_BPS).amount


def _whole(fresh: Fresh, wrong: Callable[[int, Decimal], int]) -> _Sale:
    """One that buys a whole number of minor units, and this way one less."""
    while True:
        sold, rate = _SOLD * fresh.number(1, 400), round(_rate(fresh), 4)
        rest = _rest(sold)
        if wrong(rest, rate) < rest * rate == int(rest * rate):
            return _Sale(sold, rate, "a whole number of minor units is bought")


def _hair_less(fresh: Fresh) -> _Sale:
    """One that buys a hundred-millionth of a minor unit less than a whole number of them.

    Binary fractions make it the whole number.
    """
    unit = 10**_PLACES
    while True:
        number = 2 * fresh.number(5_000, 20_000) + 1
        sold = _SOLD * (number + 2 * (number % 5 == 0))
        rest, common = _rest(sold), gcd(_rest(sold), unit)
        period = unit // common
        # One step short of a whole number is rest x rate at rates that recur.
        first = -pow(rest // common, -1, period) % period
        low, high = (int(rate * unit) // period for rate in (_LOWEST, _HIGHEST))
        rate = Decimal(first + period * fresh.number(low, high - 1)).scaleb(-_PLACES)
        if int(rest * float(rate)) > int(rest * rate):
            return _Sale(sold, rate, "a hair less than a whole number of minor units is bought")


@check("float-money", needs=contract.quotes, competencies=("money.arithmetic",))
async def a_conversion_is_right_to_the_penny(alice: Merchant, fresh: Fresh, fx: Fx) -> None:
    """A conversion's fee is rounded half to even; what it buys is exact, and rounded down once."""
    sales = list(_sales(fresh))
    chosen = fresh.random.sample(list(permutations(_CURRENCIES, 2)), len(sales) + 1)
    *pairs, pair = chosen
    for (sold, bought), sale in zip(pairs, sales, strict=True):
        await fx.tell(sold, bought, rate=f"{sale.rate:f}")
        source = await alice.funded(Money(sale.sold, sold))
        await _buys(alice, source, bought, sale)
    rate = round(_rate(fresh), 4)
    await fx.tell(*pair, rate=f"{rate:f}")
    for told in _telling(fresh, _QUOTE_FEE_BPS):
        source = await alice.funded(Money(told.amount, pair[0]))
        await _buys(alice, source, pair[1], _Sale(told.amount, rate, "its fee is nearly a tie"))


async def _buys(merchant: Merchant, source: Account, currency: str, sale: _Sale) -> None:
    """A sale keeps the fee that is due, and buys what is due for the rest, to the penny."""
    sold, target = Money(sale.sold, source.currency), await merchant.open_account(currency)
    with probe(f"{sold} are sold at {sale.rate:f}: {sale.why}"):
        quote = await merchant.quote(source, target, sold)
        if Decimal(quote.rate) != sale.rate:
            raise Broken(f"The provider told {sale.rate:f}; the quote's rate is {quote.rate}.")
        kept, due = quote.fee.money, fee(sold, _QUOTE_FEE_BPS)
        worth = converted(sold - kept, sale.rate, currency)
        if (kept, quote.buy.money) == (due, worth):
            return
        path, key = f"{quote.url}/execute", merchant.fresh.key()
        (await carried_out(partial(merchant.post, path, {}, key=key))).expect(200)
        got = (await merchant.account(target)).balance.posted.money
        said = (
            f"{sold}, sold at {sale.rate:f} less a fee of {kept}, bought {got}; the fee, rounded"
            f" half to even, is {due}, and the rest, {sold - kept}, is worth {worth}."
        )
        if kept == due and got == worth:
            raise Broken(f"The quote said {quote.buy.money}. {said}")
        if _far(kept, due) or _far(got, worth):
            raise Broken(said, unless=(_SPLIT_SALE,))
        raise Vulnerable(said, _HINT)
