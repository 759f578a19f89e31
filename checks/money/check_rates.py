"""fx-rate-trusted: conversions are priced at whatever rate the provider tells (CWE-1284)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

from checks import contract
from checks.amounts import Money, converted
from checks.attachment import Fx
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.probes import probe
from checks.registry import check
from checks.shapes import Account, Quote
from checks.tenants import Merchant, transfer_body
from checks.testbed.fx import true_rate
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Believe a rate only of the pair that was asked for, if it is a number above zero, neither too"
    " old nor from the future, and near the rate of the pair's last quote, whoever's that was."
    " Otherwise there is no quote."
)

#: Currencies whose rates no other check scripts; and two of them whose rates are far from one.
_CURRENCIES = ("MYR", "NZD", "PHP", "RON", "SAR", "SGD")
_FAR_APART = (("PHP", "SGD"), ("SGD", "PHP"))

#: Those of which the last quote is executed.
_EXECUTED = _FAR_APART[:1]

#: Minor units that are sold.
_LEAST, _MOST = 100_000, 300_000

#: By how many times a rate that is told falsely of a new pair is better than the true one.
_BETTER = 3

#: How far from the last quote's a rate is that is not to be believed; the bound is a tenth.
_FAR = ("1.15", "0.85", "3", "0.3")

#: How far from it one is that is to be believed, and how old, in seconds (contract 10.7).
_NEAR = Decimal("1.06")
_YOUNG = (200, -30)

#: How old a rate is that is believed, and after how many seconds it is so no longer.
_AGEING, _AGED = 290, 12.0


@dataclass(frozen=True, slots=True)
class _Exchange:
    """Somebody's accounts in two currencies, and the provider of their rates."""

    merchant: Merchant
    fx: Fx
    source: Account
    target: Account
    sold: Money

    @classmethod
    async def open(cls, merchant: Merchant, fx: Fx, pair: tuple[str, str]) -> _Exchange:
        """With what is to be sold on the first."""
        sold = merchant.fresh.money(_LEAST, _MOST, pair[0])
        source = await merchant.funded(sold)
        return cls(merchant, fx, source, await merchant.open_account(pair[1]), sold)

    @property
    def pair(self) -> tuple[str, str]:
        return self.source.currency, self.target.currency

    @property
    def true(self) -> Decimal:
        """The rate as it is."""
        return true_rate(*self.pair)

    async def asks(self, replica: int | None = None) -> Answer:
        """Ask for a quote."""
        body = transfer_body(self.source, self.target, self.sold)
        return await self.merchant.post("/v1/quotes", body, replica=replica)

    async def quoted(self) -> Quote:
        """A quote that is to be given."""
        return await self.merchant.quote(self.source, self.target, self.sold)

    async def grows_old(self) -> float:
        """Have a rate believed that is soon too old; when it is so, by the loop's clock."""
        with probe(f"a rate of {_AGEING} seconds ago"):
            await self.fx.tell(*self.pair, rate=f"{self.true * _BETTER:f}", age=_AGEING)
            (await carried_out(partial(self.asks, 0))).expect(201)
            return asyncio.get_running_loop().time() + _AGED

    async def refused(self, answer: Answer, what: str, good: Decimal | None = None) -> None:
        """There was no quote, unless at a good rate that the service still knew."""
        if not answer.ok:
            expect_problem(answer, 503, code="rate_unavailable")
            if "Retry-After" not in answer.headers:
                raise Broken(f"{answer} without Retry-After.")
            return
        quote = answer.read(Quote)
        if good is not None and Decimal(quote.rate) == good:
            return
        path, key = f"{quote.url}/execute", self.merchant.fresh.key()
        done = await carried_out(partial(self.merchant.post, path, {}, key=key))
        got = (await self.merchant.account(self.target)).balance.posted.money
        if not got.amount:
            raise Broken(f"{answer} at a rate that {what}, {quote.rate}; executed: {done}.")
        # The quote itself may be in other currencies than was asked for.
        worth = converted(self.sold, good or self.true, got.currency)
        raise Vulnerable(
            f"{answer} at {quote.rate}, a rate that {what}: {self.sold} bought {got}, and not"
            f" {worth} less the fee.",
            _HINT,
        )


@check(
    "fx-rate-trusted",
    needs=(*contract.quotes, "contract/without_a_rate_there_is_no_quote"),
    competencies=("resilience.outside-calls", "money.arithmetic"),
)
async def a_rate_is_believed_that_is_one(alice: Merchant, fresh: Fresh, fx: Fx) -> None:
    """A rate is of the pair that was asked for, recent, and a number above zero."""
    pairs = [pair for pair in permutations(_CURRENCIES, 2) if pair not in _FAR_APART]
    fresh.random.shuffle(pairs)
    ageing = await _Exchange.open(alice, fx, pairs.pop())
    aged = await ageing.grows_old()
    for age in _YOUNG:
        with probe(f"a rate of {age} seconds ago"):
            exchange = await _Exchange.open(alice, fx, pairs.pop())
            await fx.tell(*exchange.pair, age=age)
            await exchange.quoted()
    for what in _doubtful(fresh, "", ""):
        with probe(f"a rate that {what}"):
            exchange = await _Exchange.open(alice, fx, pairs.pop())
            better = {"rate": f"{exchange.true * _BETTER:f}"}
            await fx.tell(*exchange.pair, **better | _doubtful(fresh, *exchange.pair)[what])
            await exchange.refused(await exchange.asks(), what)
            await fx.tell(*exchange.pair)
            await exchange.quoted()
    with probe("a rate that was believed, and is too old by now"):
        await asyncio.sleep(aged - asyncio.get_running_loop().time())
        await fx.tell(*ageing.pair, status=500)
        await ageing.refused(await ageing.asks(0), "was kept until it was too old")


def _doubtful(fresh: Fresh, base: str, quote: str) -> dict[str, dict[str, Any]]:
    """How a rate of a pair is told that is not to be believed, by what it is then."""
    told: dict[str, dict[str, Any]] = {
        "is six minutes old": {"age": 360},
        "is a day and some seconds old": {"age": 86_400 + fresh.number(10, 200)},
        "is of two minutes hence": {"age": -120},
        "is of the pair the other way round": {"base": quote, "quote": base},
        "is of another currency to sell": {"base": "GBP"},
        "is of another currency to buy": {"quote": "GBP"},
        "is of no time": {"members": {"as_of": ""}},
    }
    for number in ("0", "-1.25", "NaN", "Infinity", ""):
        told[f"is {number or 'empty'}"] = {"rate": number}
    return told


@check(
    "fx-rate-trusted",
    needs=(*contract.quotes, "contract/without_a_rate_there_is_no_quote"),
    competencies=("resilience.outside-calls", "money.arithmetic"),
)
async def a_rate_is_believed_that_is_near_the_last(alice: Merchant, bob: Merchant, fx: Fx) -> None:
    """A rate differs by no more than a tenth from that of the pair's last quote, whoever's."""
    replicas = range(len(alice.platform.connections.replicas))
    for pair in _FAR_APART:
        await fx.tell(*pair)
        first, own, others = [await _Exchange.open(one, fx, pair) for one in (alice, alice, bob)]
        with probe(f"a quote for {first.sold} at the true rate"):
            quote = await first.quoted()
            last = Decimal(quote.rate)
        # One that is open still, and one that is not, count alike.
        if pair in _EXECUTED:
            path, key = f"{quote.url}/execute", alice.fresh.key()
            (await carried_out(partial(alice.post, path, {}, key=key))).expect(200)
        for factor in _FAR:
            what = f"is {factor} times that of the pair's last quote, {last:f}"
            told = round(last * Decimal(factor), 12)
            await fx.tell(*pair, rate=f"{told:f}")
            # Again too: what is told once more is no nearer for it.
            for exchange in (own, own, others):
                for replica in replicas:
                    asker = exchange.merchant.actor
                    with probe(f"{asker} asks replica {replica} at a rate that {what}"):
                        await exchange.refused(await exchange.asks(replica), what, last)
        near = round(last * _NEAR, 12)
        await fx.tell(*pair, rate=f"{near:f}")
        with probe(f"a rate that is {_NEAR} times that of the pair's last quote, {last:f}"):
            quoted = Decimal((await own.quoted()).rate)
            if quoted not in (last, near):
                raise Broken(f"The provider told {near:f}; the quote's rate is {quoted:f}.")
