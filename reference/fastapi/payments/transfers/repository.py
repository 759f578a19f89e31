"""Transfers in the database."""

from collections.abc import Sequence

from sqlalchemy import or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from payments.kit.pagination import Order, Page
from payments.transfers.models import Transfer

NEWEST_FIRST = Order((Transfer.created_at, Transfer.id), descending=True)


class TransferRepository:
    """The transfers that concern one merchant, on either side."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._merchant_id = merchant_id
        self._visible = select(Transfer).where(
            or_(
                Transfer.from_merchant_id == merchant_id,
                Transfer.to_merchant_id == merchant_id,
            )
        )

    async def get(self, transfer_id: str) -> Transfer | None:
        """A transfer, if it concerns the merchant."""
        return await self._session.scalar(self._visible.where(Transfer.id == transfer_id))

    async def lock(self, transfer_id: str) -> Transfer | None:
        """The same, locked: simultaneous reversals of it come one by one."""
        return await self._session.scalar(
            self._visible.where(Transfer.id == transfer_id).with_for_update()
        )

    async def page(self, page: Page) -> Sequence[Transfer]:
        """The transfers of a page, and one more if another page follows.

        Each side is read by its own index and cut there, so that the rows read are bounded.
        """
        sides = (Transfer.from_merchant_id, Transfer.to_merchant_id)
        ids = union(
            *(page.of_rows(select(Transfer.id).where(side == self._merchant_id)) for side in sides)
        )
        statement = select(Transfer).where(Transfer.id.in_(ids))
        return (await self._session.scalars(page.of_rows(statement))).all()
