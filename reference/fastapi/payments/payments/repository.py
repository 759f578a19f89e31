"""Payments in the database."""

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from payments.kit.pagination import Page
from payments.payments.models import Payment, PaymentStatus


class PaymentRepository:
    """The payments of one merchant: no other is found here, whoever asks and whatever for."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._merchant_id = merchant_id

    def _visible(self) -> Select[Payment]:
        return select(Payment).where(Payment.merchant_id == self._merchant_id)

    async def get(self, payment_id: str) -> Payment | None:
        """A payment with its refunds, if the merchant took it."""
        return await self._session.scalar(
            self._visible().where(Payment.id == payment_id).options(selectinload(Payment.refunds))
        )

    async def lock(self, payment_id: str) -> Payment | None:
        """The same, locked: whatever happens to it, its operations and refunds comes one by one.

        The refunds are read after the lock is had, by a statement of their own.
        """
        return await self._session.scalar(
            self._visible()
            .where(Payment.id == payment_id)
            .options(selectinload(Payment.refunds))
            .with_for_update()
        )

    async def page(self, page: Page, status: PaymentStatus | None) -> Sequence[Payment]:
        """The payments of a page, and one more if another page follows.

        Their refunds come with one statement for all, however many payments there are.
        """
        statement = self._visible().options(selectinload(Payment.refunds))

        if status is not None:
            statement = statement.where(Payment.status == status.value)

        return (await self._session.scalars(page.of_rows(statement))).all()
