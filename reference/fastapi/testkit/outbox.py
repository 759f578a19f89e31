"""Events without the changes that they tell of, and their publication without a worker."""

from pydantic import BaseModel
from sqlalchemy import text

from payments.dependencies import Context
from payments.events import relay
from payments.events.models import EventType
from payments.events.outbox import record


class Shown(BaseModel):
    """What is told of an object."""

    step: int


async def tell(context: Context, merchant_id: str, object_id: str, steps: int = 1) -> None:
    """Make events of an object, each in its own transaction."""
    for step in range(steps):
        async with context.database.unit_of_work() as uow:
            kind = EventType.PAYOUT_CHANGED
            await record(uow.session, kind, object_id, [merchant_id], Shown(step=step))


async def publish_all(context: Context) -> None:
    """Publish until nothing is left; claims that a failure left behind are let go at once."""
    while True:
        async with context.database.unit_of_work() as uow:
            await uow.session.execute(text("DELETE FROM stream_claims"))
            left = await uow.session.scalar(
                text("SELECT count(*) FROM events WHERE published_at IS NULL")
            )
        if not left:
            return
        await relay.of_due(context)
