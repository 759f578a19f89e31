"""Events in the database: a merchant's, and those that are still to be published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    DateTime,
    TableValuedAlias,
    Text,
    column,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from payments.events.models import Event, StreamClaim
from payments.kit.pagination import Order, Page

NEWEST_FIRST = Order((Event.number,), descending=True)
LAST_FIRST = Order((Event.sequence,), descending=True)
"""The order of one object's events."""


class EventRepository:
    """The events of one merchant."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._visible = select(Event).where(Event.merchant_id == merchant_id)

    async def get(self, event_id: str) -> Event | None:
        """An event, if it is the merchant's."""
        return await self._session.scalar(self._visible.where(Event.id == event_id))

    async def page(self, page: Page, object_id: str | None) -> Sequence[Event]:
        """The events of a page, of one object if it is named, and one more if another follows."""
        rows = self._visible
        if object_id is not None:
            rows = rows.where(Event.object_id == object_id)
        return (await self._session.scalars(page.of_rows(rows))).all()


_CLAIM = text("""
    INSERT INTO stream_claims AS claim (merchant_id, object_id, until)
    SELECT merchant_id, object_id, clock_timestamp() + make_interval(secs => :lease)
    FROM (
        SELECT merchant_id, object_id FROM events
        WHERE published_at IS NULL AND NOT EXISTS (
            SELECT FROM stream_claims live
            WHERE live.merchant_id = events.merchant_id AND live.object_id = events.object_id
              AND live.until > clock_timestamp()
        )
        ORDER BY number LIMIT :events
    ) due
    GROUP BY merchant_id, object_id ORDER BY object_id, merchant_id
    ON CONFLICT (merchant_id, object_id)
    DO UPDATE SET until = excluded.until WHERE claim.until <= clock_timestamp()
    RETURNING merchant_id, object_id, until
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream that is ours to publish ``until`` a moment."""

    merchant_id: str
    object_id: str
    until: datetime


async def claim_streams(session: AsyncSession, lease: float, events: int) -> Sequence[Claim]:
    """Be the one who publishes, for so many seconds, the streams that so many events are of.

    The oldest events first. Claims are by stream, not by event: a copy that took the second event
    of an object while another had the first could be the quicker one.
    """
    claimed = await session.execute(_CLAIM, {"lease": lease, "events": events})
    return [Claim(row.merchant_id, row.object_id, row.until) for row in claimed]


async def unpublished(
    session: AsyncSession, claims: Sequence[Claim], limit: int
) -> Sequence[Event]:
    """What is to be published of claimed streams, in order; the rest is left for the next time.

    An event whose transaction has yet to commit is among the next ones, and so is all that comes
    after it on its stream.
    """
    ours = _rows_of(claims)
    events = await session.scalars(
        select(Event)
        .join(
            ours,
            (Event.merchant_id == ours.c.merchant_id) & (Event.object_id == ours.c.object_id),
        )
        .where(Event.published_at.is_(None))
        .order_by(Event.number)
        .limit(limit)
    )
    return events.all()


async def mark_published(
    session: AsyncSession, claims: Sequence[Claim], events: Sequence[Event]
) -> None:
    """Write down that the broker has these events, and let go of the claims that are still ours."""
    await session.execute(
        update(Event)
        .where(Event.id.in_([event.id for event in events]))
        .values(published_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    ours = _rows_of(claims)
    await session.execute(
        delete(StreamClaim)
        .where(
            StreamClaim.merchant_id == ours.c.merchant_id,
            StreamClaim.object_id == ours.c.object_id,
            StreamClaim.until == ours.c.until,
        )
        .execution_options(synchronize_session=False)
    )


def _rows_of(claims: Sequence[Claim]) -> TableValuedAlias:
    """Claims as rows, in a statement that is the same for any number of them."""
    moment = DateTime(timezone=True)
    return (
        func.unnest(
            literal([claim.merchant_id for claim in claims], ARRAY(Text)),
            literal([claim.object_id for claim in claims], ARRAY(Text)),
            literal([claim.until for claim in claims], ARRAY(moment)),
        )
        .table_valued(
            column("merchant_id", Text), column("object_id", Text), column("until", moment)
        )
        .render_derived("ours")
    )
