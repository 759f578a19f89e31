"""Quotes and their execution (section 10)."""

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from testkit.model.cards import share
from testkit.model.ledger import (
    INVALID,
    NO_ACCOUNT,
    NO_FUNDS,
    OTHER_CURRENCY,
    Account,
    Ledger,
    Pretty,
    Refusal,
    Refusals,
    Shown,
    is_amount,
    money,
)

QUOTE_FEE_BPS = 50

RATE = Decimal("1.25")
"""Units bought for one unit sold, whatever the two currencies."""

DIGITS = {"GBP": 2, "NOK": 2, "ISK": 0}


@dataclass(eq=False)
class Quote(Pretty):
    """A conversion at a price."""

    id: str
    source: Account
    target: Account
    sell: int
    status: str = "open"

    def __repr__(self) -> str:
        return f"<{self.id[:7]}, {self.status}, {self.sell} of {self.source}>"

    @property
    def fee(self) -> int:
        """In the currency sold (10.2)."""
        return share(self.sell, QUOTE_FEE_BPS)

    @property
    def buy(self) -> int:
        """In minor units of the currency bought, rounded down (10.2)."""
        return bought(self.sell, self.source.currency, self.target.currency)

    def shown(self) -> Shown:
        """The quote as the API shows it."""
        return {
            "id": self.id,
            "from": self.source.id,
            "to": self.target.id,
            "sell": money(self.sell, self.source.currency),
            "fee": money(self.fee, self.source.currency),
            "buy": money(self.buy, self.target.currency),
            "status": self.status,
        }


def bought(sell: int, base: str, quote: str) -> int:
    """What an amount buys, in minor units."""
    units = Decimal(sell - share(sell, QUOTE_FEE_BPS)).scaleb(-DIGITS[base]) * RATE
    return int(units.scaleb(DIGITS[quote]).to_integral_value(ROUND_FLOOR))


@dataclass
class Conversions:
    """The quotes that were given."""

    ledger: Ledger
    quotes: list[Quote] = field(default_factory=list)

    @property
    def open(self) -> list[Quote]:
        """Those that can be executed."""
        return [quote for quote in self.quotes if quote.status == "open"]

    def against_a_quote(
        self, merchant: str, source: Account, target: Account, amount: int, currency: str
    ) -> Refusals:
        """Why it may be refused, the rate aside (10.2, 10.3)."""
        if not is_amount(amount):
            return {INVALID}
        wrong = {
            NO_ACCOUNT: {source.merchant, target.merchant} != {merchant},
            OTHER_CURRENCY: source.currency != currency,
            Refusal(422, "same_currency"): source.currency == target.currency,
            Refusal(422, "amount_too_small"): bought(amount, source.currency, target.currency) < 1,
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def quote(self, id_: str, source: Account, target: Account, amount: int) -> Quote:
        """A price, for which nothing moves."""
        made = Quote(id_, source, target, amount)
        self.quotes.append(made)
        self.ledger.changed[id_] = made
        return made

    def against_an_execution(self, quote: Quote) -> Refusals:
        """Why it may be refused (10.5)."""
        wrong = {
            Refusal(409, "quote_executed"): quote.status == "executed",
            Refusal(409, "quote_expired"): quote.status == "expired",
            NO_FUNDS: quote.source.available < quote.sell,
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def execute(self, quote: Quote) -> None:
        """Convert at the quoted price (10.6)."""
        quote.status = "executed"
        self.ledger.post("conversion_sale", quote.id, {quote.source: -quote.sell})
        self.ledger.post("conversion_purchase", quote.id, {quote.target: quote.buy})
        self.ledger.tell("quote.executed", quote, quote.source.merchant)

    def expire(self, quote: Quote) -> None:
        """Let an open quote's time be over."""
        if quote.status == "open":
            quote.status = "expired"
            self.ledger.changed[quote.id] = quote
