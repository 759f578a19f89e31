"""Events in the database: a merchant's, and those that are still to be published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    TableValuedAlias,
    Text,
    and_,
    case,
    column,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from payments.events.models import Event, Stream
from payments.kit.database import seconds_from_now
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


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream that is ours to publish ``until`` a moment, from after ``published`` on."""

    merchant_id: str
    object_id: str
    published: int
    until: datetime

    @property
    def stream(self) -> tuple[str, str]:
        """Which stream it is."""
        return self.merchant_id, self.object_id


async def claim_streams(session: AsyncSession, lease_seconds: float, limit: int) -> Sequence[Claim]:
    """Be the one who publishes some streams, those that have waited longest first.

    Claims are by stream, not by event: a copy that took the second event of an object while
    another had the first could be the quicker one.
    """
    free = Stream.claimed_until.is_(None) | (Stream.claimed_until <= func.clock_timestamp())
    chosen = (
        select(Stream.merchant_id, Stream.object_id)
        .where(Stream.published < Stream.sequence, free)
        .order_by(Stream.changed_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = await session.execute(
        update(Stream)
        .where(tuple_(Stream.merchant_id, Stream.object_id).in_(chosen))
        .values(claimed_until=seconds_from_now(lease_seconds))
        .returning(Stream.merchant_id, Stream.object_id, Stream.published, Stream.claimed_until)
        .execution_options(synchronize_session=False)
    )
    return [
        Claim(row.merchant_id, row.object_id, row.published, row.claimed_until) for row in claimed
    ]


async def unpublished(
    session: AsyncSession, claims: Sequence[Claim], limit: int
) -> Sequence[Event]:
    """What is to be published of claimed streams, in order; the rest is left for the next time.

    An event whose transaction has yet to commit is among the next ones, and so is all that comes
    after it on its stream.
    """
    at = _positions((claim, claim.published) for claim in claims)
    events = await session.scalars(
        select(Event)
        .join(at, _same_stream(Event, at) & (Event.sequence > at.c.sequence))
        .order_by(Event.number)
        .limit(limit)
    )
    return events.all()


async def mark_published(
    session: AsyncSession, claims: Sequence[Claim], events: Sequence[Event]
) -> None:
    """Write down that the broker has these events, and let go of the claims that are still ours."""
    last = {(event.merchant_id, event.object_id): event.sequence for event in events}
    at = _positions((claim, last.get(claim.stream, claim.published)) for claim in claims)
    await session.execute(
        select(Stream.sequence)
        .join(at, _same_stream(Stream, at))
        .order_by(Stream.object_id, Stream.merchant_id)
        .with_for_update(of=Stream)
    )
    ours = Stream.claimed_until == at.c.until
    await session.execute(
        update(Stream)
        .where(_same_stream(Stream, at))
        .values(
            published=func.greatest(Stream.published, at.c.sequence),
            claimed_until=case((ours, None), else_=Stream.claimed_until),
        )
        .execution_options(synchronize_session=False)
    )


def _positions(claims: Iterable[tuple[Claim, int]]) -> TableValuedAlias:
    """Claims and sequences as rows, in a statement that is the same for any number of them."""
    rows = [(*claim.stream, claim.until, sequence) for claim, sequence in claims]
    merchants, objects, untils, sequences = (list(values) for values in zip(*rows, strict=True))
    return (
        func.unnest(
            literal(merchants, ARRAY(Text)),
            literal(objects, ARRAY(Text)),
            literal(untils, ARRAY(DateTime(timezone=True))),
            literal(sequences, ARRAY(Integer)),
        )
        .table_valued(
            column("merchant_id", Text),
            column("object_id", Text),
            column("until", DateTime(timezone=True)),
            column("sequence", Integer),
        )
        .render_derived("position")
    )


def _same_stream(table: type[Event] | type[Stream], at: TableValuedAlias) -> ColumnElement[bool]:
    return and_(table.merchant_id == at.c.merchant_id, table.object_id == at.c.object_id)
