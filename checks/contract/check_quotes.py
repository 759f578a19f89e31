"""Quotes: conversions at a price that holds for a while (contract 10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from functools import partial

from checks import contract
from checks.amounts import Money, converted, fee
from checks.attachment import Fx
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.probes import probe
from checks.registry import check
from checks.settings import SOON_REACHED
from checks.shapes import Account, Quote
from checks.tenants import Merchant, transfer_body
from checks.testbed.fx import true_rate
from checks.verdicts import Broken

#: Defaults of QUOTE_FEE_BPS and QUOTE_TTL_SECONDS.
_FEE_BPS, _LIVES = 50, timedelta(seconds=60)

#: By how much the two times of a quote may be rounded.
_ROUNDED = timedelta(seconds=1)

#: Seconds between two looks at a quote that lives for one, and until it must have expired.
_PAUSE, _EXPIRED = 0.1, 3.0

#: Minor units that an account holds, and that are sold of it at most.
_FUNDS, _SOLD = 900_000, 300_000


@check(needs=contract.deposits, competencies=("money.ledger", "money.rounding"))
async def a_quote_is_priced_and_executed(alice: Merchant, fresh: Fresh, fx: Fx) -> None:
    """A quote has the provider's rate and the contract's fee, and converts at that price."""
    source, target = await _accounts(alice, fresh.pair())
    sold = fresh.money(_SOLD // 2, _SOLD, source.currency)
    quote = await alice.quote(source, target, sold)
    _expect_price(quote, source, target, sold)
    if not await fx.journal(f"{source.currency}/{target.currency}"):
        raise Broken("A quote was given, and the FX provider was not asked.")
    await _expect_shown(alice, quote)
    # The price stands, whatever the market does.
    await fx.tell(source.currency, target.currency, factor=Decimal("1.05"))
    answer = (await alice.post(f"{quote.url}/execute", {}, key=fresh.key())).expect(200)
    done = answer.read(Quote)
    as_quoted = quote.model_copy(update={"status": "executed", "executed_at": done.executed_at})
    if done != as_quoted or done.executed_at is None:
        raise Broken(f"{answer} with {done}; it was quoted as {quote}.")
    await _expect_shown(alice, done)
    await _expect_moved(alice, quote, source, target)


@check(
    needs=contract.quotes,
    competencies=("distributed.idempotency", "money.ledger"),
)
async def a_quote_converts_once(alice: Merchant, fresh: Fresh) -> None:
    """A repeat is replayed, and another execution refused."""
    source, target, quote = await _quoted(alice, fresh)
    path, key = f"{quote.url}/execute", fresh.key()
    first = (await alice.post(path, {}, key=key)).expect(200)
    again = (await alice.post(path, {}, key=key)).expect(200)
    if again.json != first.json or not again.replayed:
        raise Broken(f"{again} to a repeat, and not as the first was answered.")
    other = await alice.post(path, {}, key=fresh.key())
    expect_problem(other, 409, code="quote_executed")
    expect_problem(await alice.post(path, {}), 400, code="idempotency_key_missing")
    await _expect_moved(alice, quote, source, target)


@check(
    needs=contract.quotes,
    exclusive=True,
    settings=SOON_REACHED,
    replicas=1,
    competencies=("money.ledger",),
)
async def an_expired_quote_is_not_executed(alice: Merchant, fresh: Fresh) -> None:
    """A quote lives as long as it says, and moves nothing afterwards."""
    source, target, quote = await _quoted(alice, fresh)
    with probe("a quote that has expired"):
        await _expired(alice, quote)
        answer = await alice.post(f"{quote.url}/execute", {}, key=fresh.key())
        expect_problem(answer, 409, code="quote_expired")
    await _expect_untouched(alice, source, target)


@check(
    needs=contract.quotes,
    competencies=("money.ledger", "api.validation"),
)
async def a_quote_that_cannot_be_is_refused(alice: Merchant, fresh: Fresh) -> None:
    """No such account, one currency, more than there is."""
    source, target = await _accounts(alice, fresh.pair())
    twin = await alice.open_account(source.currency)
    nowhere = target.model_copy(update={"id": f"acc_{fresh.word(26)}"})
    sold = fresh.money(1000, _SOLD, source.currency)
    for what, to, status, code in (
        ("no account", nowhere, 404, "account_not_found"),
        ("the same currency", twin, 422, "same_currency"),
    ):
        with probe(f"a quote for {what}"):
            answer = await alice.post("/v1/quotes", transfer_body(source, to, sold))
            expect_problem(answer, status, code=code)
    dear = await alice.quote(source, target, Money(_FUNDS + 1, source.currency))
    answer = await alice.post(f"{dear.url}/execute", {}, key=fresh.key())
    expect_problem(answer, 422, code="insufficient_funds")
    await _expect_untouched(alice, source, target)


@check(
    needs=contract.quotes,
    competencies=("security.authorisation",),
)
async def a_quote_is_its_merchants_alone(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """Another merchant neither sees a quote nor executes it; a viewer sees it."""
    source, target, quote = await _quoted(alice, fresh)
    secrets = (source.id, target.id)
    expect_absent(await bob.get(quote.url), secrets)
    expect_absent(await bob.post(f"{quote.url}/execute", {}, key=fresh.key()), secrets)
    if [item async for _, item in bob.walk("/v1/quotes")]:
        raise Broken("GET /v1/quotes lists a quote of another merchant's.")
    viewer = await alice.client("viewer")
    (await viewer.get(quote.url)).expect(200)
    await _expect_untouched(alice, source, target)


@check(
    needs=contract.quotes,
    competencies=("resilience.outside-calls",),
)
async def without_a_rate_there_is_no_quote(alice: Merchant, fresh: Fresh, fx: Fx) -> None:
    """A provider that fails, babbles or is silent is answered 503, and asked again later."""
    source, target = await _accounts(alice, fresh.scripted_pair())
    pair = source.currency, target.currency
    body = transfer_body(source, target, fresh.money(1000, _SOLD, source.currency))
    for what, how in (
        ("answers 500", {"status": 500}),
        ("knows no such rate", {"status": 404}),
        ("babbles", {"nonsense": True}),
        ("cuts the connection", {"withheld": "drop"}),
        ("says nothing", {"withheld": "hang"}),
    ):
        with probe(f"a provider that {what}"):
            await fx.tell(*pair, **how)
            answer = await alice.post("/v1/quotes", body)
            expect_problem(answer, 503, code="rate_unavailable")
            if "Retry-After" not in answer.headers:
                raise Broken(f"{answer} without Retry-After.")
    await fx.tell(*pair)
    (await carried_out(partial(alice.post, "/v1/quotes", body))).expect(201)


async def _expired(merchant: Merchant, quote: Quote) -> None:
    """Wait until the service says that a quote has expired, for twice as long as it may take."""
    deadline = asyncio.get_running_loop().time() + _EXPIRED
    while asyncio.get_running_loop().time() < deadline:
        shown = (await merchant.get(quote.url)).expect(200).read(Quote)
        if shown.status == "expired":
            return
        await asyncio.sleep(_PAUSE)
    raise Broken(f"A quote that lives for a second is still {shown.status} after {_EXPIRED:g}.")


async def _accounts(merchant: Merchant, pair: tuple[str, str]) -> tuple[Account, Account]:
    """Accounts in two currencies; there is money on the first."""
    sold, bought = pair
    source = await merchant.funded(Money(_FUNDS, sold))
    return source, await merchant.open_account(bought)


async def _quoted(merchant: Merchant, fresh: Fresh) -> tuple[Account, Account, Quote]:
    """The same, with a quote that the first can pay."""
    source, target = await _accounts(merchant, fresh.pair())
    sold = fresh.money(1000, _SOLD, source.currency)
    return source, target, await merchant.quote(source, target, sold)


def _expect_price(quote: Quote, source: Account, target: Account, sold: Money) -> None:
    """The price of 10.2, at the provider's rate, for as long as 10.4 says."""
    rate = true_rate(source.currency, target.currency)
    kept = fee(sold, _FEE_BPS)
    wanted = (source.id, target.id, sold, kept, converted(sold - kept, rate, target.currency))
    shown = quote.from_, quote.to, quote.sell.money, quote.fee.money, quote.buy.money
    if shown != wanted or Decimal(quote.rate) != rate:
        raise Broken(f"At {rate}, {sold} was quoted as {quote}; {wanted[4]} could be bought.")
    lives = quote.expires_at - quote.created_at
    if quote.status != "open" or quote.executed_at or abs(lives - _LIVES) > _ROUNDED:
        raise Broken(f"A new quote is {quote.status}, and lives for {lives.total_seconds():g} s.")


async def _expect_shown(merchant: Merchant, quote: Quote) -> None:
    shown = (await merchant.get(quote.url)).expect(200).read(Quote)
    listed = [answer.read_value(item, Quote) async for answer, item in merchant.walk("/v1/quotes")]
    if shown != quote or listed.count(quote) != 1:
        raise Broken(f"The quote {quote.id} is not shown as it was answered: {shown}.")


async def _expect_moved(merchant: Merchant, quote: Quote, source: Account, target: Account) -> None:
    """One conversion, in the balances and in the entries."""
    for account, kind, amount, before in (
        (source, "conversion_sale", -quote.sell.money, _FUNDS),
        (target, "conversion_purchase", quote.buy.money, 0),
    ):
        left = (await merchant.account(account)).balance.posted.money
        if left != Money(before + amount.amount, account.currency):
            raise Broken(f"After a conversion of {amount} the account shows {left}.")
        made = [
            (entry.kind, entry.amount.money)
            for entry in await merchant.entries(account)
            if entry.reference == quote.id
        ]
        if made != [(kind, amount)]:
            raise Broken(f"The entries of a conversion of {amount} are {made}.")


async def _expect_untouched(merchant: Merchant, source: Account, target: Account) -> None:
    for account, funds in ((source, _FUNDS), (target, 0)):
        left = (await merchant.account(account)).balance.posted.money
        if left != Money(funds, account.currency):
            raise Broken(f"Nothing was converted, and the account shows {left}.")
