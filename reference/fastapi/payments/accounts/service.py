"""Opening and renaming accounts."""

import re
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.accounts.models import Account, Balance
from payments.accounts.repository import AccountRepository
from payments.accounts.schemas import AccountCreate
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found

_ENTITY_TAG = re.compile(r'"([0-9]{1,9})"')


async def open_account(session: AsyncSession, caller: Caller, body: AccountCreate) -> Account:
    """An account of the caller's merchant, with nothing in it."""
    account = Account(
        id=new_id("acc"),
        merchant_id=caller.merchant_id,
        name=body.name,
        currency=body.currency,
        version=1,
        created_at=datetime.now(UTC),
        balance=Balance(posted=0, held=0),
    )
    session.add(account)
    await session.flush()
    return account


async def rename(
    session: AsyncSession, caller: Caller, account_id: str, name: str, if_match: str | None
) -> Account:
    """Rename an account that nobody has renamed since the caller read it.

    Raises:
        Problem: 404, 428 ``precondition_required``, 412 ``precondition_failed``.
    """
    accounts = AccountRepository(session, caller.merchant_id)
    if if_match is None:
        raise Problem(428, "precondition_required", "Send If-Match with the account's ETag.")
    versions = {int(tag) for tag in _ENTITY_TAG.findall(if_match)}
    account = await accounts.get(account_id)
    if account is None:
        raise not_found()
    if if_match.strip() == "*":
        versions = {account.version}
    if account.version not in versions or not await accounts.rename(
        account_id, name, account.version
    ):
        raise Problem(412, "precondition_failed", "The account has changed since it was read.")
    account.name = name
    account.version += 1
    return account
