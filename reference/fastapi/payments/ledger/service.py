"""Posting: the only way in which money moves."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from payments.ledger import repository
from payments.ledger.models import Kind

PLATFORM_ACCOUNTS = ("bank", "psp_clearing", "fees", "fx_clearing")


class UnbalancedError(Exception):
    """The legs of a transaction do not sum to zero: our own mistake, and nothing is posted."""


def platform_account(purpose: str, currency: str) -> str:
    """The id of one of the platform's accounts; the migrations make one for each currency."""
    if purpose not in PLATFORM_ACCOUNTS:
        raise ValueError(f"the platform has no {purpose} account")
    return f"{purpose}:{currency}"


async def post(
    session: AsyncSession, kind: Kind, reference: str, currency: str, legs: Mapping[str, int]
) -> None:
    """Write one transaction, and move the balances of the merchants' accounts by it.

    ``legs`` maps account ids to signed amounts in minor units; zero legs are left out. Whoever
    debits a merchant has locked its account and seen that the money is there.

    Raises:
        UnbalancedError: the legs do not sum to zero.
    """
    if sum(legs.values()) != 0:
        raise UnbalancedError
    await session.flush()

    moved = {account_id: amount for account_id, amount in sorted(legs.items()) if amount != 0}
    of_merchants = {one: by for one, by in moved.items() if not one.startswith(PLATFORM_ACCOUNTS)}
    await repository.add_to_posted(session, of_merchants)

    await repository.add_transaction(session, kind, reference, currency, moved)
