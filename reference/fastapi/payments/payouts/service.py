"""Making, changing and cancelling payouts, until they are approved."""

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.events.models import EventType
from payments.kit import clock
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.kit.settings import Settings
from payments.ledger.repository import add_to_held, lock_accounts
from payments.payouts import repository
from payments.payouts.announcements import announce
from payments.payouts.limits import ensure_within, lock_payouts_of
from payments.payouts.models import Payout, PayoutStatus
from payments.payouts.repository import PayoutRepository
from payments.payouts.schemas import PayoutChange, PayoutCreate


async def make(
    session: AsyncSession, caller: Caller, body: PayoutCreate, settings: Settings
) -> Payout:
    """A payout that awaits its approval; its amount is held from now on.

    Raises:
        Problem: 404 ``account_not_found``; 422 ``currency_mismatch``, ``insufficient_funds``,
            ``daily_limit_exceeded``.
    """
    await lock_payouts_of(session, caller.merchant_id)
    now = await clock.now(session)
    amount, currency = body.amount.amount, body.amount.currency
    await _hold(session, caller, body.account, amount, currency)
    await ensure_within(
        session, caller.merchant_id, currency, now, amount, settings.payout_daily_limit
    )
    payout = Payout(
        id=new_id("po"),
        merchant_id=caller.merchant_id,
        account_id=body.account,
        amount=amount,
        currency=currency,
        payee_name=body.payee.name,
        payee_bank_account=body.payee.bank_account,
        reference=body.reference,
        status=PayoutStatus.AWAITING_APPROVAL.value,
        made_by=caller.client_id,
        makers=[caller.client_id],
        passes=0,
        created_at=now,
    )
    session.add(payout)
    await session.flush()
    await announce(session, EventType.PAYOUT_CREATED, payout)
    return payout


async def change(
    session: AsyncSession, caller: Caller, payout_id: str, body: PayoutChange, settings: Settings
) -> Payout:
    """Change a payout that nobody has approved; codes sent for it are worth nothing any more.

    Raises:
        Problem: 404; 409 ``not_changeable``; and as ``make``.
    """
    await lock_payouts_of(session, caller.merchant_id)
    payout = await _awaiting(session, caller, payout_id, "not_changeable")
    before = payout.amount, payout.payee
    if body.amount is not None:
        more = body.amount.amount - payout.amount
        await _hold(session, caller, payout.account_id, more, body.amount.currency)
        limit = settings.payout_daily_limit
        if more > 0:
            await ensure_within(
                session, payout.merchant_id, payout.currency, payout.created_at, more, limit
            )
        payout.amount = body.amount.amount
    if body.payee is not None:
        payout.payee_name = body.payee.name
        payout.payee_bank_account = body.payee.bank_account
    if caller.client_id not in payout.makers:
        payout.makers = [*payout.makers, caller.client_id]
    await repository.void_challenges(session, payout.id)
    await session.flush()
    if (payout.amount, payout.payee) != before:
        await announce(session, EventType.PAYOUT_CHANGED, payout)
    return payout


async def cancel(session: AsyncSession, caller: Caller, payout_id: str) -> Payout:
    """Give a payout up that nobody has approved, and let its money go.

    Raises:
        Problem: 404; 409 ``not_cancellable``.
    """
    payout = await _awaiting(session, caller, payout_id, "not_cancellable")
    payout.status = PayoutStatus.CANCELLED.value
    await add_to_held(session, payout.account_id, -payout.amount)
    await repository.void_challenges(session, payout.id)
    await session.flush()
    await announce(session, EventType.PAYOUT_CANCELLED, payout)
    return payout


async def _awaiting(session: AsyncSession, caller: Caller, payout_id: str, code: str) -> Payout:
    """A payout of the caller's, locked, that still awaits its approval."""
    payout = await PayoutRepository(session, caller.merchant_id).lock(payout_id)
    if payout is None:
        raise not_found()
    if payout.status != PayoutStatus.AWAITING_APPROVAL:
        raise Problem(409, code, "The payout awaits its approval no more.")
    return payout


async def _hold(
    session: AsyncSession, caller: Caller, account_id: str, more: int, currency: str
) -> None:
    """Hold so much more, or less, of an account of the caller's in that currency."""
    account = (await lock_accounts(session, [account_id])).get(account_id)
    if account is None or account.merchant_id != caller.merchant_id:
        raise Problem(404, "account_not_found", "There is no such account.")
    if account.currency != currency:
        raise Problem(422, "currency_mismatch", "The account has another currency.")
    if account.available < more:
        raise Problem(422, "insufficient_funds", "The account does not hold that much.")
    await add_to_held(session, account.id, more)
