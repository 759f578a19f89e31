"""What the bank's news does to a payout and to the ledger: once, whoever brings it."""

from sqlalchemy.ext.asyncio import AsyncSession

from payments.bank.protocol import BankStatus, News, NotDone, Outcome
from payments.events.models import EventType
from payments.kit.database import seconds_from_now
from payments.kit.logging import logger
from payments.kit.settings import Settings
from payments.ledger import service as ledger
from payments.ledger.models import Kind
from payments.ledger.repository import add_to_held
from payments.payouts import repository
from payments.payouts.announcements import announce
from payments.payouts.models import OPEN, Payout, PayoutStatus

MAX_PASSES = 2
"""After so many questions in vain the pauses between them grow no more."""

EXPLAINED = (PayoutStatus.REJECTED, PayoutStatus.FAILED, PayoutStatus.RETURNED)

_BECOMES = {
    BankStatus.ACCEPTED: PayoutStatus.SUBMITTED,
    BankStatus.REJECTED: PayoutStatus.REJECTED,
    BankStatus.PAID: PayoutStatus.PAID,
    BankStatus.FAILED: PayoutStatus.FAILED,
    BankStatus.RETURNED: PayoutStatus.RETURNED,
}


async def settle(
    session: AsyncSession, payout_id: str, outcome: Outcome, settings: Settings
) -> Payout:
    """Take a payout as far as the bank's answer says, and let go of the claim.

    A reply, a look-up and a notice may bring the same news at once, or news that is old by now: the
    payout's lock lets them in one by one, and its status changes only forward.
    """
    payout = await repository.lock(session, payout_id)
    if payout is None:
        raise LookupError("payouts are never deleted")
    if isinstance(outcome, News) and payout.bank_id in (None, outcome.bank_id):
        await learn(session, payout, outcome)
    if payout.status in OPEN:
        _come_back(payout, outcome, settings)
    payout.claimed_until = None
    await session.flush()
    return payout


async def learn(session: AsyncSession, payout: Payout, news: News) -> None:
    """Do what believed news says of a payout that is locked; old news does nothing."""
    becomes = _BECOMES[news.status]
    payout.bank_id = payout.bank_id or news.bank_id
    if becomes is PayoutStatus.RETURNED and payout.may_become(PayoutStatus.PAID):
        await _become(session, payout, PayoutStatus.PAID, news)
    if payout.may_become(becomes):
        await _become(session, payout, becomes, news)
    elif payout.status != becomes:
        logger().info("old_news", payout=payout.id, status=payout.status, told=becomes.value)


async def _become(session: AsyncSession, payout: Payout, status: PayoutStatus, news: News) -> None:
    payout.status = status.value
    payout.reason = news.reason if status in EXPLAINED else None
    bank = ledger.platform_account("bank", payout.currency)
    match status:
        case PayoutStatus.REJECTED | PayoutStatus.FAILED:
            await add_to_held(session, payout.account_id, -payout.amount)

        case PayoutStatus.PAID:
            await add_to_held(session, payout.account_id, -payout.amount)
            legs = {payout.account_id: -payout.amount, bank: payout.amount}
            await ledger.post(session, Kind.PAYOUT, payout.id, payout.currency, legs)

        case PayoutStatus.RETURNED:
            legs = {bank: -payout.amount, payout.account_id: payout.amount}
            await ledger.post(session, Kind.PAYOUT_RETURN, payout.id, payout.currency, legs)

        case _:
            pass  # it is under way: its money stays held
    await announce(session, EventType(f"payout.{status}"), payout)


def _come_back(payout: Payout, outcome: Outcome, settings: Settings) -> None:
    """Ask again later about a payout whose end is not known."""
    if payout.status == PayoutStatus.SUBMITTED:
        payout.due_at = seconds_from_now(settings.payout_poll_seconds)
        return
    if isinstance(outcome, NotDone):
        payout.due_at = seconds_from_now(outcome.retry_after)
        return
    if payout.may_become(PayoutStatus.UNKNOWN):
        payout.status = PayoutStatus.UNKNOWN.value
    wait = settings.reconcile_interval_seconds * 2**payout.passes
    payout.due_at = seconds_from_now(wait)
    payout.passes = min(payout.passes + 1, MAX_PASSES)
