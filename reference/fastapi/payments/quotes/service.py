"""Pricing conversions, and carrying them out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.accounts.repository import AccountRepository
from payments.events.models import EventType
from payments.events.outbox import record
from payments.fx.rates import Belief, Rate
from payments.kit import clock
from payments.kit.ids import new_id
from payments.kit.money import EXPONENTS, MAX_AMOUNT, fee_of
from payments.kit.problems import Problem, not_found
from payments.kit.settings import Settings
from payments.ledger import service as ledger
from payments.ledger.models import Kind
from payments.ledger.repository import lock_accounts
from payments.quotes import repository
from payments.quotes.models import Quote
from payments.quotes.repository import QuoteRepository
from payments.quotes.schemas import QuoteCreate, QuoteOut

COMPARED_WITHIN = timedelta(days=1)
"""How long a rate that was good is one to hold others against."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a conversion costs and brings, in minor units of the two currencies."""

    fee: int
    buy: int


def price(amount: int, base: str, quote: str, rate: Decimal, fee_bps: int) -> Price:
    """The price of selling ``amount`` minor units of one currency for another.

    Computed exactly, and rounded down once: the platform never gives more than the rate says.

    Raises:
        Problem: 422 ``amount_too_small``, ``amount_too_large``.
    """
    fee = fee_of(amount, fee_bps)
    scale = Fraction(10) ** (EXPONENTS[quote] - EXPONENTS[base])
    buy = int((amount - fee) * Fraction(rate) * scale)
    if buy < 1:
        raise Problem(422, "amount_too_small", "That would buy nothing.")
    if buy > MAX_AMOUNT:
        raise Problem(422, "amount_too_large", "That would buy more than can be moved.")
    return Price(fee, buy)


async def belief(
    session: AsyncSession, caller: Caller, body: QuoteCreate, settings: Settings
) -> Belief:
    """Check what is to be converted; what its rate is to be held against.

    Raises:
        Problem: 404 ``account_not_found``; 422 ``currency_mismatch``, ``same_currency``.
    """
    accounts = AccountRepository(session, caller.merchant_id)
    source, target = await accounts.get(body.from_), await accounts.get(body.to)
    if source is None or target is None:
        raise Problem(404, "account_not_found", "There is no such account.")
    if source.currency != body.amount.currency:
        raise Problem(422, "currency_mismatch", "The account has another currency.")
    if source.currency == target.currency:
        raise Problem(422, "same_currency", "A conversion needs two currencies.")
    base, quote = source.currency, target.currency
    return Belief(
        base,
        quote,
        now=await clock.now(session),
        max_age=timedelta(seconds=settings.fx_max_age_seconds),
        max_deviation=settings.fx_max_deviation,
        last=await repository.last_rate(session, base, quote, COMPARED_WITHIN),
    )


async def make(
    session: AsyncSession,
    caller: Caller,
    body: QuoteCreate,
    rate: Rate,
    settings: Settings,
) -> tuple[Quote, datetime]:
    """Give a quote at a rate that is believed; with it the moment at which it was given.

    Raises:
        Problem: 422 ``amount_too_small``, ``amount_too_large``.
    """
    sold = body.amount.amount
    priced = price(sold, rate.base, rate.quote, rate.value, settings.quote_fee_bps)
    now = await clock.now(session)
    quote = Quote(
        id=new_id("qt"),
        merchant_id=caller.merchant_id,
        from_account_id=body.from_,
        to_account_id=body.to,
        sell_currency=rate.base,
        buy_currency=rate.quote,
        sell=sold,
        fee=priced.fee,
        buy=priced.buy,
        rate=rate.value,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.quote_ttl_seconds),
    )
    session.add(quote)
    await session.flush()
    return quote, now


async def execute(session: AsyncSession, caller: Caller, quote_id: str) -> tuple[Quote, datetime]:
    """Convert at the quoted price, once; with the quote the moment at which that was done.

    Raises:
        Problem: 404; 409 ``quote_executed``, ``quote_expired``; 422 ``insufficient_funds``.
    """
    quote = await QuoteRepository(session, caller.merchant_id).lock(quote_id)
    if quote is None:
        raise not_found()
    now = await clock.now(session)
    if quote.executed_at is not None:
        raise Problem(409, "quote_executed", "The quote has been executed.")
    if now >= quote.expires_at:
        raise Problem(409, "quote_expired", "The quote has expired.")

    locked = await lock_accounts(session, [quote.from_account_id, quote.to_account_id])
    if locked[quote.from_account_id].available < quote.sell:
        raise Problem(422, "insufficient_funds", "The account does not hold that much.")
    quote.executed_at = now
    await _convert(session, quote)
    concerned, shown = [quote.merchant_id], QuoteOut.of(quote, now)
    await record(session, EventType.QUOTE_EXECUTED, quote.id, concerned, shown)
    return quote, now


async def _convert(session: AsyncSession, quote: Quote) -> None:
    """Post both sides, each in its own currency, through the platform's clearing accounts."""
    sold, bought = quote.sell_currency, quote.buy_currency
    sale = {
        quote.from_account_id: -quote.sell,
        ledger.platform_account("fees", sold): quote.fee,
        ledger.platform_account("fx_clearing", sold): quote.sell - quote.fee,
    }
    await ledger.post(session, Kind.CONVERSION_SALE, quote.id, sold, sale)
    purchase = {
        ledger.platform_account("fx_clearing", bought): -quote.buy,
        quote.to_account_id: quote.buy,
    }
    await ledger.post(session, Kind.CONVERSION_PURCHASE, quote.id, bought, purchase)
