"""Registering endpoints, changing their secrets, and having deliveries made again."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.kit import clock
from payments.kit.database import seconds_from_now
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.kit.sealing import Seal
from payments.webhook_endpoints.models import Delivery, DeliveryStatus, WebhookEndpoint
from payments.webhook_endpoints.repository import EndpointRepository
from payments.webhook_endpoints.schemas import EndpointChange, EndpointCreate
from payments.webhook_endpoints.standard import new_secret

MAX_ENDPOINTS = 10
BOTH_SECRETS = timedelta(hours=24)
"""How long a secret that was replaced goes on being signed with, beside the new one."""


async def register(
    session: AsyncSession, caller: Caller, body: EndpointCreate, seal: Seal
) -> tuple[WebhookEndpoint, bytes]:
    """A new endpoint, whose address is allowed, and its secret.

    Raises:
        Problem: 409 ``too_many_endpoints``.
    """
    if await EndpointRepository(session, caller.merchant_id).count() >= MAX_ENDPOINTS:
        raise Problem(
            409, "too_many_endpoints", f"A merchant has {MAX_ENDPOINTS} endpoints at most."
        )
    secret, endpoint_id = new_secret(), new_id("we")
    endpoint = WebhookEndpoint(
        id=endpoint_id,
        merchant_id=caller.merchant_id,
        url=body.url,
        types=[one.value for one in body.types or ()],
        secret=seal.close(secret, endpoint_id),
        created_at=await clock.now(session),
    )
    session.add(endpoint)
    await session.flush()
    return endpoint, secret


async def change(
    session: AsyncSession, caller: Caller, endpoint_id: str, body: EndpointChange
) -> WebhookEndpoint:
    """Change an endpoint; its new address is allowed.

    Raises:
        Problem: 404.
    """
    endpoint = await _lock(session, caller, endpoint_id)
    if body.url is not None:
        endpoint.url = body.url
    if "types" in body.model_fields_set:
        endpoint.types = [one.value for one in body.types or ()]
    if body.disabled is not None and body.disabled != (endpoint.disabled_at is not None):
        endpoint.disabled_at = await clock.now(session) if body.disabled else None
    await session.flush()
    return endpoint


async def rotate(
    session: AsyncSession, caller: Caller, endpoint_id: str, seal: Seal
) -> tuple[WebhookEndpoint, bytes]:
    """Give an endpoint a new secret; for a day what is sent is signed under both.

    Raises:
        Problem: 404.
    """
    endpoint = await _lock(session, caller, endpoint_id)
    secret = new_secret()
    endpoint.previous_secret, endpoint.secret = endpoint.secret, seal.close(secret, endpoint.id)
    endpoint.previous_until = await clock.now(session) + BOTH_SECRETS
    await session.flush()
    return endpoint, secret


async def remove(session: AsyncSession, caller: Caller, endpoint_id: str) -> None:
    """Delete an endpoint with its deliveries.

    Raises:
        Problem: 404.
    """
    await session.delete(await _lock(session, caller, endpoint_id))
    await session.flush()


async def redeliver(session: AsyncSession, caller: Caller, delivery_id: str) -> Delivery:
    """Have a delivery made again, from its first attempt on.

    Raises:
        Problem: 404; 409 ``endpoint_disabled``.
    """
    delivery = await EndpointRepository(session, caller.merchant_id).lock_delivery(delivery_id)
    if delivery is None:
        raise not_found()
    if delivery.endpoint.disabled_at is not None:
        raise Problem(409, "endpoint_disabled", "The endpoint is disabled.")
    delivery.status = DeliveryStatus.PENDING.value
    delivery.attempts = 0
    delivery.due_at = seconds_from_now(0)
    await session.flush()
    await session.refresh(delivery, ["due_at"])
    return delivery


async def _lock(session: AsyncSession, caller: Caller, endpoint_id: str) -> WebhookEndpoint:
    endpoint = await EndpointRepository(session, caller.merchant_id).lock(endpoint_id)
    if endpoint is None:
        raise not_found()
    return endpoint
