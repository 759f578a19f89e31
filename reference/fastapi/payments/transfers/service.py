"""Moving money between accounts, and giving it back."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.events.models import EventType
from payments.events.outbox import record
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.ledger import service as ledger
from payments.ledger.models import Kind
from payments.ledger.repository import LockedAccount, lock_accounts
from payments.transfers.models import Transfer
from payments.transfers.repository import TransferRepository
from payments.transfers.schemas import TransferCreate, TransferOut


async def transfer(session: AsyncSession, caller: Caller, body: TransferCreate) -> Transfer:
    """Move money from an account of the caller's to any other account.

    Raises:
        Problem: 404 ``account_not_found``; 422 ``same_account``, ``currency_mismatch``,
            ``insufficient_funds``.
    """
    if body.from_ == body.to:
        raise Problem(422, "same_account", "A transfer needs two accounts.")
    source, target = await _lock_pair(session, caller, body.from_, body.to)
    if {source.currency, target.currency} != {body.amount.currency}:
        raise Problem(422, "currency_mismatch", "The accounts and the amount differ in currency.")

    made = Transfer(
        id=new_id("tr"),
        from_account_id=source.id,
        from_merchant_id=source.merchant_id,
        to_account_id=target.id,
        to_merchant_id=target.merchant_id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        reference=body.reference,
        created_at=datetime.now(UTC),
    )
    session.add(made)
    await _move(session, Kind.TRANSFER, made, source.available)
    await _announce(session, EventType.TRANSFER_CREATED, made)
    return made


async def reverse(session: AsyncSession, caller: Caller, transfer_id: str) -> Transfer:
    """Give a transfer back, by a transfer the other way.

    Raises:
        Problem: 404; 403 ``forbidden``; 409 ``already_reversed``, ``not_reversible``;
            422 ``insufficient_funds``.
    """
    original = await TransferRepository(session, caller.merchant_id).lock(transfer_id)
    if original is None:
        raise not_found()
    if original.to_merchant_id != caller.merchant_id:
        raise Problem(403, "forbidden", "Only the merchant that got the money gives it back.")
    if original.reverses is not None:
        raise Problem(409, "not_reversible", "A reversal is not reversed.")
    if original.reversed_by is not None:
        raise Problem(409, "already_reversed", "The transfer has been reversed.")

    made = Transfer(
        id=new_id("tr"),
        from_account_id=original.to_account_id,
        from_merchant_id=original.to_merchant_id,
        to_account_id=original.from_account_id,
        to_merchant_id=original.from_merchant_id,
        amount=original.amount,
        currency=original.currency,
        reference=original.reference,
        reverses=original.id,
        created_at=datetime.now(UTC),
    )
    session.add(made)
    original.reversed_by = made.id
    locked = await lock_accounts(session, [made.from_account_id, made.to_account_id])
    available = locked[made.from_account_id].available
    await _move(session, Kind.TRANSFER_REVERSAL, made, available)
    await _announce(session, EventType.TRANSFER_CREATED, made)
    await _announce(session, EventType.TRANSFER_REVERSED, original)
    return made


async def _lock_pair(
    session: AsyncSession, caller: Caller, source_id: str, target_id: str
) -> tuple[LockedAccount, LockedAccount]:
    """Both accounts, locked; the source has to be the caller's."""
    locked = await lock_accounts(session, [source_id, target_id])
    source, target = locked.get(source_id), locked.get(target_id)
    if source is None or source.merchant_id != caller.merchant_id or target is None:
        raise Problem(404, "account_not_found", "There is no such account.")
    return source, target


async def _move(session: AsyncSession, kind: Kind, made: Transfer, available: int) -> None:
    """Debit one account and credit the other; the first is locked and has ``available``."""
    if available < made.amount:
        raise Problem(422, "insufficient_funds", "The account does not hold that much.")

    legs = {made.from_account_id: -made.amount, made.to_account_id: made.amount}
    await ledger.post(session, kind, made.id, made.currency, legs)


async def _announce(session: AsyncSession, kind: EventType, made: Transfer) -> None:
    """Tell both merchants, or the one that moved its own money."""
    concerned = [made.from_merchant_id, made.to_merchant_id]
    await record(session, kind, made.id, concerned, TransferOut.of(made))
