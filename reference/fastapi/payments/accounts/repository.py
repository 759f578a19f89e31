"""Accounts in the database."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from payments.accounts.models import Account
from payments.kit.pagination import Order, Page

NEWEST_FIRST = Order((Account.created_at, Account.id), descending=True)


class AccountRepository:
    """The accounts of one merchant, each with its balance."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._merchant_id = merchant_id
        self._visible = (
            select(Account)
            .where(Account.merchant_id == merchant_id)
            .options(joinedload(Account.balance, innerjoin=True))
        )

    async def get(self, account_id: str) -> Account | None:
        """An account, if the merchant has it."""
        return await self._session.scalar(self._visible.where(Account.id == account_id))

    async def page(self, page: Page) -> Sequence[Account]:
        """The accounts of a page, and one more if another page follows."""
        return (await self._session.scalars(page.of_rows(self._visible))).all()

    async def rename(self, account_id: str, name: str, version: int) -> bool:
        """Rename an account if it still has this version; whether it had."""
        renamed = await self._session.execute(
            update(Account)
            .where(
                Account.id == account_id,
                Account.merchant_id == self._merchant_id,
                Account.version == version,
            )
            .values(name=name, version=Account.version + 1)
            .returning(Account.id)
            .execution_options(synchronize_session=False)
        )
        return renamed.first() is not None
