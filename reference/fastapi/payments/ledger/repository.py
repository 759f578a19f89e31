"""Entries and balances in the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from payments.accounts.models import Account, Balance
from payments.kit.ids import new_id
from payments.kit.pagination import Order, Page
from payments.ledger.models import Entry, Kind

NEWEST_ENTRY_FIRST = Order((Entry.number,), descending=True)

# Every movement of money executes these two: composed anew each time, they would cost more than to
# execute them does.
_ADD_TO_POSTED = text("""
    UPDATE balances SET posted = posted + moved.amount
    FROM unnest(CAST(:accounts AS text[]), CAST(:amounts AS bigint[])) AS moved (account_id, amount)
    WHERE balances.account_id = moved.account_id
""")
_ADD_TRANSACTION = text("""
    WITH made AS (
        INSERT INTO transactions (id, kind, reference, created_at)
        VALUES (:id, :kind, :reference, :at)
    )
    INSERT INTO entries (id, transaction_id, account_id, amount, currency, created_at)
    SELECT id, :id, account_id, amount, :currency, :at
    FROM unnest(CAST(:entries AS text[]), CAST(:accounts AS text[]), CAST(:amounts AS bigint[]))
        AS moved (id, account_id, amount)
""")


@dataclass(frozen=True, slots=True)
class LockedAccount:
    """An account whose balance nobody else can change until this unit of work ends."""

    id: str
    merchant_id: str
    currency: str
    available: int


class EntryRepository:
    """The entries of one account, which the caller is known to see."""

    def __init__(self, session: AsyncSession, account_id: str) -> None:
        self._session = session
        self._account_id = account_id

    async def page(self, page: Page) -> Sequence[Entry]:
        """The entries of a page with their transactions, and one more if another page follows."""
        statement = (
            select(Entry)
            .where(Entry.account_id == self._account_id)
            .options(joinedload(Entry.transaction, innerjoin=True))
        )
        return (await self._session.scalars(page.of_rows(statement))).all()


async def lock_accounts(
    session: AsyncSession, account_ids: Iterable[str]
) -> Mapping[str, LockedAccount]:
    """Lock the balances of merchants' accounts; ids that name none are left out.

    Every unit of work locks in the order of the ids, all at once, so that two of them never wait
    for each other.
    """
    rows = await session.execute(
        select(Account.id, Account.merchant_id, Account.currency, Balance.posted, Balance.held)
        .join(Balance, Balance.account_id == Account.id)
        .where(Account.id.in_(sorted(set(account_ids))))
        .order_by(Balance.account_id)
        .with_for_update(of=Balance)
    )
    return {
        row.id: LockedAccount(row.id, row.merchant_id, row.currency, row.posted - row.held)
        for row in rows
    }


async def add_to_posted(session: AsyncSession, moved: Mapping[str, int]) -> None:
    """Move merchants' posted balances by signed amounts.

    Of several, whoever moves them has locked all, since no order is kept here.
    """
    accounts, amounts = list(moved), list(moved.values())
    await session.execute(_ADD_TO_POSTED, {"accounts": accounts, "amounts": amounts})


async def add_to_held(session: AsyncSession, account_id: str, amount: int) -> None:
    """Move what a merchant's account holds back by a signed amount."""
    await session.execute(
        update(Balance)
        .where(Balance.account_id == account_id)
        .values(held=Balance.held + amount)
        .execution_options(synchronize_session=False)
    )


async def add_transaction(
    session: AsyncSession, kind: Kind, reference: str, currency: str, moved: Mapping[str, int]
) -> None:
    """Write a transaction with an entry for each account that it moves."""
    await session.execute(
        _ADD_TRANSACTION,
        {
            "id": new_id("txn"),
            "kind": kind.value,
            "reference": reference,
            "at": datetime.now(UTC),
            "currency": currency,
            "entries": [new_id("ent") for _ in moved],
            "accounts": list(moved),
            "amounts": list(moved.values()),
        },
    )
