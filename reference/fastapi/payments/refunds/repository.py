"""Refunds in the database."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from payments.kit.pagination import Order, Page
from payments.payments.models import Payment
from payments.refunds.models import Refund

NEWEST_FIRST = Order((Refund.created_at, Refund.id), descending=True)


class RefundRepository:
    """The refunds of one payment of one merchant; of another's payment there are none."""

    def __init__(self, session: AsyncSession, merchant_id: str, payment_id: str) -> None:
        self._session = session
        self._visible = (
            select(Refund)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(Payment.merchant_id == merchant_id, Refund.payment_id == payment_id)
        )

    async def get(self, refund_id: str) -> Refund | None:
        """A refund, if the payment has it."""
        return await self._session.scalar(self._visible.where(Refund.id == refund_id))

    async def page(self, page: Page) -> Sequence[Refund]:
        """The refunds of a page, and one more if another page follows."""
        return (await self._session.scalars(page.of_rows(self._visible))).all()
