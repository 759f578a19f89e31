"""Paying money in."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.deposits.models import Deposit
from payments.deposits.schemas import DepositCreate, DepositOut
from payments.events.models import EventType
from payments.events.outbox import record
from payments.kit.ids import new_id
from payments.kit.problems import Problem
from payments.ledger import service as ledger
from payments.ledger.models import Kind
from payments.ledger.repository import lock_accounts


async def deposit(session: AsyncSession, body: DepositCreate) -> Deposit:
    """Credit a merchant's account from the platform's bank account.

    Raises:
        Problem: 404 ``account_not_found``, 422 ``currency_mismatch``.
    """
    account = (await lock_accounts(session, [body.account])).get(body.account)
    if account is None:
        raise Problem(404, "account_not_found", "There is no such account.")
    if account.currency != body.amount.currency:
        raise Problem(422, "currency_mismatch", "The account has another currency.")

    made = Deposit(
        id=new_id("dep"),
        account_id=account.id,
        amount=body.amount.amount,
        currency=account.currency,
        reference=body.reference,
        created_at=datetime.now(UTC),
    )
    session.add(made)
    bank = ledger.platform_account("bank", account.currency)
    legs = {bank: -made.amount, account.id: made.amount}
    await ledger.post(session, Kind.DEPOSIT, made.id, account.currency, legs)
    concerned = [account.merchant_id]
    await record(session, EventType.DEPOSIT_CREATED, made.id, concerned, DepositOut.of(made))
    return made
