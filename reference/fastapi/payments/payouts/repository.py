"""Payouts in the database, and who asks the bank about them."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.models import Client
from payments.kit import clock
from payments.kit.claims import claim
from payments.kit.pagination import Order, Page
from payments.payouts.models import OPEN, Challenge, Payout, PayoutStatus

NEWEST_FIRST = Order((Payout.created_at, Payout.id), descending=True)

SYNCABLE = (*OPEN, PayoutStatus.PAID.value)


class PayoutRepository:
    """The payouts of one merchant."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._visible = select(Payout).where(Payout.merchant_id == merchant_id)

    async def get(self, payout_id: str) -> Payout | None:
        """A payout, if it is the merchant's."""
        return await self._session.scalar(self._visible.where(Payout.id == payout_id))

    async def lock(self, payout_id: str) -> Payout | None:
        """The same, locked: whatever would change it comes one by one."""
        return await self._session.scalar(
            self._visible.where(Payout.id == payout_id).with_for_update()
        )

    async def page(self, page: Page) -> Sequence[Payout]:
        """The payouts of a page, and one more if another page follows."""
        return (await self._session.scalars(page.of_rows(self._visible))).all()


async def lock(session: AsyncSession, payout_id: str) -> Payout | None:
    """A payout, whosever it is, locked."""
    return await session.scalar(
        select(Payout)
        .where(Payout.id == payout_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def load(session: AsyncSession, payout_id: str) -> Payout:
    """A payout that there is."""
    return (await session.scalars(select(Payout).where(Payout.id == payout_id))).one()


async def claim_one(session: AsyncSession, payout_id: str, lease_seconds: float) -> bool:
    """Be the one who asks the bank about a payout, if there is anything to ask and nobody is."""
    which = (Payout.id == payout_id) & Payout.status.in_(SYNCABLE)
    return bool(await claim(session, Payout, which, lease_seconds, limit=1))


async def claim_due(session: AsyncSession, lease_seconds: float, limit: int) -> Sequence[str]:
    """Be the one for some that it is time to ask about, the longest due first."""
    which = Payout.status.in_(OPEN) & (Payout.due_at <= func.clock_timestamp())
    return await claim(session, Payout, which, lease_seconds, limit=limit)


async def newest_challenge(
    session: AsyncSession, payout_id: str, client_id: str
) -> Challenge | None:
    """The challenge of an approver that took the place of all earlier ones, if it still lives."""
    newest = await session.scalar(
        select(Challenge)
        .where(Challenge.payout_id == payout_id, Challenge.client_id == client_id)
        .order_by(Challenge.created_at.desc(), Challenge.id)
        .limit(1)
    )
    if newest is None or newest.expires_at <= await clock.now(session):
        return None
    return newest


async def void_challenges(session: AsyncSession, payout_id: str) -> None:
    """Make every code that was sent for a payout worthless."""
    await session.execute(
        delete(Challenge)
        .where(Challenge.payout_id == payout_id)
        .execution_options(synchronize_session=False)
    )


async def void_challenge(session: AsyncSession, challenge_id: str) -> None:
    """Make one code worthless."""
    await session.execute(
        delete(Challenge)
        .where(Challenge.id == challenge_id)
        .execution_options(synchronize_session=False)
    )


async def is_or_was_made_by(session: AsyncSession, client_id: str, makers: Sequence[str]) -> bool:
    """Whether a client is one of these, or was created by one, directly or through others."""
    line = select(Client.id, Client.created_by).where(Client.id == client_id).cte(recursive=True)
    line = line.union(
        select(Client.id, Client.created_by).join(line, line.c.created_by == Client.id)
    )
    found = await session.scalar(select(line.c.id).where(line.c.id.in_(makers)).limit(1))
    return found is not None
