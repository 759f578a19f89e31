"""Publishing what the outbox holds: at least once, and in order for each object.

Events are marked only after the broker has them, so a copy that dies in between publishes them
again. A claim that is outlived does no harm either: whoever takes the stream begins at the first
event that is not marked, so that what is repeated never comes first.
"""

from payments.dependencies import Context
from payments.events import repository
from payments.events.broker import BrokerError, Message
from payments.kit.logging import logger
from payments.webhook_endpoints.repository import plan

EVENTS = 500


async def of_due(context: Context) -> int:
    """Publish some of what there is, streams of other copies left out; how many events it was."""
    lease = context.settings.claim_lease_seconds
    uow = context.database.unit_of_work()
    async with uow:
        claims = await repository.claim_streams(uow.session, lease, EVENTS)
        if not claims:
            return 0
    async with uow:
        events = await repository.unpublished(uow.session, claims, EVENTS)
    try:
        await context.broker.publish([Message.of(event) for event in events])
    except BrokerError:
        logger().warning("broker_unavailable", exc_info=True)
        return 0  # the claims lapse, which is the pause before the next attempt
    async with uow:
        await plan(uow.session, events)
        await repository.mark_published(uow.session, claims, events)
    return len(events)
