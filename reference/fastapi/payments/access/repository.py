"""Merchants and clients in the database."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.models import Client, Merchant, Role
from payments.kit.pagination import Order, Page

NEWEST_FIRST = Order((Client.created_at, Client.id), descending=True)


class ClientRepository:
    """The clients of one merchant."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._visible = select(Client).where(
            Client.merchant_id == merchant_id, Client.deleted_at.is_(None)
        )
        self._merchant_id = merchant_id

    async def page(self, page: Page) -> Sequence[Client]:
        """The clients of a page, and one more if another page follows."""
        return (await self._session.scalars(page.of_rows(self._visible))).all()

    async def get(self, client_id: str) -> Client | None:
        """A client, if the merchant has it."""
        return await self._session.scalar(self._visible.where(Client.id == client_id))

    async def count_owners(self) -> int:
        """How many owners the merchant has; the merchant is locked, so that it stays so."""
        await self._session.execute(
            select(Merchant.id).where(Merchant.id == self._merchant_id).with_for_update()
        )
        owners = self._visible.where(Client.role == Role.OWNER).subquery()
        return await self._session.scalar(select(func.count()).select_from(owners)) or 0


async def lock_client(session: AsyncSession, client_id: str) -> Client | None:
    """A client that asks for a token, locked: simultaneous guesses are counted one by one."""
    return await session.scalar(
        select(Client).where(Client.id == client_id, Client.deleted_at.is_(None)).with_for_update()
    )
