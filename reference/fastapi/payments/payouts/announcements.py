"""What merchants are told of their payouts."""

from sqlalchemy.ext.asyncio import AsyncSession

from payments.events.models import EventType
from payments.events.outbox import record
from payments.payouts.models import Payout
from payments.payouts.schemas import PayoutOut


async def announce(session: AsyncSession, kind: EventType, payout: Payout) -> None:
    """Tell what happened to a payout."""
    await record(session, kind, payout.id, [payout.merchant_id], PayoutOut.of(payout))
