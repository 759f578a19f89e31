"""Quotes, as spoken."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from payments.kit.ids import IdReference
from payments.kit.money import Money, PositiveMoney
from payments.quotes.models import Quote, QuoteStatus


class QuoteCreate(BaseModel):
    """A conversion to be priced: so much is sold."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[IdReference, Field(alias="from")]
    to: IdReference
    amount: PositiveMoney


class QuoteExecute(BaseModel):
    """An execution: nothing about it can be chosen any more."""

    model_config = ConfigDict(extra="forbid")


class QuoteOut(BaseModel):
    """A quote; ``rate`` is a decimal string, in units bought for one unit sold."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    sell: Money
    fee: Money
    buy: Money
    rate: str
    status: QuoteStatus
    expires_at: datetime
    executed_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, quote: Quote, now: datetime) -> Self:
        """Show a quote as it is by a moment."""
        return cls(
            id=quote.id,
            from_=quote.from_account_id,
            to=quote.to_account_id,
            sell=Money(amount=quote.sell, currency=quote.sell_currency),
            fee=Money(amount=quote.fee, currency=quote.sell_currency),
            buy=Money(amount=quote.buy, currency=quote.buy_currency),
            rate=f"{quote.rate:f}",
            status=quote.status(now),
            expires_at=quote.expires_at,
            executed_at=quote.executed_at,
            created_at=quote.created_at,
        )
