"""Telling merchants' servers: at least once, with growing pauses, until it is taken or given up."""

import random
import time
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from payments.dependencies import Context
from payments.kit import clock
from payments.kit.claims import side_by_side
from payments.kit.database import seconds_from_now
from payments.kit.logging import logger
from payments.kit.sealing import Seal
from payments.webhook_endpoints import repository
from payments.webhook_endpoints.models import Delivery, DeliveryStatus, WebhookEndpoint
from payments.webhook_endpoints.sender import AT_ONCE, Attempt
from payments.webhook_endpoints.standard import body_of, headers_of

LEASE_SECONDS = 15.0
"""Longer than finding the address and the call take. A claim that is outlived repeats a call."""

PAUSES = (1, 12, 60, 360, 1440, 3600, 7200)
"""Before each further attempt, in units of WEBHOOK_RETRY_SECONDS: five seconds to ten hours."""

JITTER = 0.2
MAX_RETRY_AFTER = 3600.0
GONE = 410


async def of_due(context: Context) -> int:
    """Make some deliveries that are due, those of other copies left out; how many it was."""
    uow = context.database.unit_of_work()
    async with uow:
        claimed = await repository.claim_due(uow.session, LEASE_SECONDS, AT_ONCE)
    await side_by_side(
        context.telemetry.job("delivery", _deliver, context), claimed, "delivery_failed"
    )
    return len(claimed)


async def _deliver(context: Context, delivery_id: str) -> None:
    uow = context.database.unit_of_work()
    async with uow:
        delivery = await repository.load(uow.session, delivery_id)
        now = await clock.now(uow.session)
    if delivery is None or delivery.status != DeliveryStatus.PENDING:
        return
    if delivery.endpoint.disabled_at is None:
        attempt = await _call(context, delivery, now)
    else:
        attempt = Attempt(None, "the endpoint is disabled")
    async with uow:
        settled = await repository.lock(uow.session, delivery_id)
        if settled is not None and settled.status == DeliveryStatus.PENDING:
            await _settle(uow.session, settled, attempt, context.settings.webhook_retry_seconds)
    logger().info("webhook", delivery=delivery_id, status=attempt.status, failure=attempt.failure)


async def _call(context: Context, delivery: Delivery, now: datetime) -> Attempt:
    body = body_of(delivery.event)
    keys = _keys(context.seal, delivery.endpoint, now)
    headers = headers_of(delivery.event_id, int(time.time()), body, keys)
    return await context.sender.send(delivery.endpoint.url, headers, body)


def _keys(seal: Seal, endpoint: WebhookEndpoint, now: datetime) -> list[bytes]:
    """The secrets to sign with: the present one, and for a while the one before."""
    sealed = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and now < endpoint.previous_until:
        sealed.append(endpoint.previous_secret)
    return [seal.open(one, endpoint.id) for one in sealed]


async def _settle(session: AsyncSession, delivery: Delivery, made: Attempt, unit: float) -> None:
    """Write down what came of an attempt; ``unit`` is that of the pauses, in seconds."""
    delivery.claimed_until = None
    delivery.attempts += 1
    delivery.status_code, delivery.failure = made.status, made.failure
    hopeless = made.status == GONE or delivery.endpoint.disabled_at is not None
    if made.taken:
        delivery.status = DeliveryStatus.DELIVERED.value
        delivery.delivered_at = datetime.now(UTC)
    elif hopeless or delivery.attempts > len(PAUSES):
        delivery.status = DeliveryStatus.DEAD.value
    else:
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        asked = min(made.retry_after or 0, MAX_RETRY_AFTER)
        delivery.due_at = seconds_from_now(
            max(PAUSES[delivery.attempts - 1] * unit * jitter, asked)
        )
    if made.status == GONE and delivery.endpoint.disabled_at is None:
        delivery.endpoint.disabled_at = datetime.now(UTC)
    await session.flush()
