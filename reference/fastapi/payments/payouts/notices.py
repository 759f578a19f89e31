"""What a notice of the bank's does to payouts (contract 12.16)."""

from sqlalchemy.ext.asyncio import AsyncSession

from payments.bank.replies import BankPayment
from payments.kit.problems import Problem
from payments.payouts import repository, settlement
from payments.payouts.models import PayoutStatus

NEVER_SUBMITTED = (PayoutStatus.AWAITING_APPROVAL.value, PayoutStatus.CANCELLED.value)


async def learn(session: AsyncSession, told: BankPayment) -> None:
    """Do what a notice says; old news does nothing.

    Raises:
        Problem: 422 ``notice_mismatch``.
    """
    payout = await repository.lock(session, told.reference)
    if payout is None or payout.status in NEVER_SUBMITTED:
        raise _mismatch()
    news = told.about(payout.order())
    if news is None:
        raise _mismatch()
    await settlement.learn(session, payout, news)


def _mismatch() -> Problem:
    return Problem(422, "notice_mismatch", "The notice is about no payment that was ordered.")
