"""The daily limit of a merchant's payouts."""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.models import Merchant
from payments.kit.problems import Problem
from payments.payouts.models import NEVER_LEFT, Payout


async def lock_payouts_of(session: AsyncSession, merchant_id: str) -> None:
    """Let the merchant's payouts be made or changed one by one, whatever account they are from.

    The lock lets alone whatever merely refers to the merchant, such as a transfer or a payment.
    """
    await session.execute(
        select(Merchant.id).where(Merchant.id == merchant_id).with_for_update(key_share=True)
    )


async def ensure_within(
    session: AsyncSession, merchant_id: str, currency: str, at: datetime, amount: int, limit: int
) -> None:
    """See that so much more may leave on the day of ``at``; the merchant's payouts are locked.

    Raises:
        Problem: 422 ``daily_limit_exceeded``.
    """
    begins = datetime.combine(at.astimezone(UTC).date(), time(), UTC)
    leaving = await session.scalar(
        select(func.coalesce(func.sum(Payout.amount), 0)).where(
            Payout.merchant_id == merchant_id,
            Payout.currency == currency,
            Payout.created_at >= begins,
            Payout.created_at < begins + timedelta(days=1),
            Payout.status.not_in(NEVER_LEFT),
        )
    )
    if int(leaving or 0) + amount > limit:
        raise Problem(
            422, "daily_limit_exceeded", "That is more than may leave on one day in this currency."
        )
