"""Quotes in the database."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from payments.kit.pagination import Order, Page
from payments.quotes.models import Quote

NEWEST_FIRST = Order((Quote.created_at, Quote.id), descending=True)


class QuoteRepository:
    """The quotes of one merchant."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._visible = select(Quote).where(Quote.merchant_id == merchant_id)

    async def get(self, quote_id: str) -> Quote | None:
        """A quote, if it is the merchant's."""
        return await self._session.scalar(self._visible.where(Quote.id == quote_id))

    async def lock(self, quote_id: str) -> Quote | None:
        """The same, locked: simultaneous executions of it come one by one."""
        return await self._session.scalar(
            self._visible.where(Quote.id == quote_id).with_for_update()
        )

    async def page(self, page: Page) -> Sequence[Quote]:
        """The quotes of a page, and one more if another page follows."""
        return (await self._session.scalars(page.of_rows(self._visible))).all()


async def last_rate(
    session: AsyncSession, base: str, quote: str, within: timedelta
) -> Decimal | None:
    """The rate of the last quote of a pair, whoever's it was, if that is not too long ago.

    Every quote was given at a rate that was believed; no row is shared by all who ask for quotes.
    """
    return await session.scalar(
        select(Quote.rate)
        .where(
            Quote.sell_currency == base,
            Quote.buy_currency == quote,
            Quote.created_at > func.now() - within,
        )
        .order_by(Quote.created_at.desc())
        .limit(1)
    )
