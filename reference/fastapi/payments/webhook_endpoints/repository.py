"""Webhook endpoints and deliveries in the database, and who is at them."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from payments.access.models import Merchant
from payments.events.models import Event
from payments.kit.claims import claim
from payments.kit.pagination import Order, Page
from payments.webhook_endpoints.models import Delivery, DeliveryStatus, WebhookEndpoint

OLDEST_FIRST = (WebhookEndpoint.created_at, WebhookEndpoint.id)
NEWEST_FIRST = Order((Delivery.created_at, Delivery.id), descending=True)

_PLAN = text("""
    INSERT INTO deliveries (id, endpoint_id, event_id, status, attempts, due_at, created_at)
    SELECT 'dlv_' || replace(CAST(gen_random_uuid() AS text), '-', ''),
           endpoint.id, event.id, 'pending', 0, clock_timestamp(), clock_timestamp()
    FROM events event JOIN webhook_endpoints endpoint USING (merchant_id)
    WHERE event.id = ANY(CAST(:events AS text[]))
      AND endpoint.disabled_at IS NULL
      AND (endpoint.types = '{}' OR event.type = ANY(endpoint.types))
    ORDER BY event.number
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
""")


class EndpointRepository:
    """The endpoints of one merchant, and what is delivered to them."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._merchant_id = merchant_id
        self._visible = select(WebhookEndpoint).where(WebhookEndpoint.merchant_id == merchant_id)

    async def all(self) -> Sequence[WebhookEndpoint]:
        """Its few endpoints."""
        return (await self._session.scalars(self._visible.order_by(*OLDEST_FIRST))).all()

    async def count(self) -> int:
        """How many they are; the merchant is locked, so that it stays so."""
        await self._session.execute(
            select(Merchant.id)
            .where(Merchant.id == self._merchant_id)
            .with_for_update(key_share=True)
        )
        return len(await self.all())

    async def get(self, endpoint_id: str) -> WebhookEndpoint | None:
        """An endpoint, if it is the merchant's."""
        return await self._session.scalar(self._visible.where(WebhookEndpoint.id == endpoint_id))

    async def lock(self, endpoint_id: str) -> WebhookEndpoint | None:
        """The same, locked."""
        return await self._session.scalar(
            self._visible.where(WebhookEndpoint.id == endpoint_id).with_for_update()
        )

    async def lock_delivery(self, delivery_id: str) -> Delivery | None:
        """A delivery to an endpoint of the merchant's, locked, with its endpoint."""
        endpoints = self._visible.with_only_columns(WebhookEndpoint.id)
        return await self._session.scalar(
            select(Delivery)
            .where(Delivery.id == delivery_id, Delivery.endpoint_id.in_(endpoints))
            .options(joinedload(Delivery.endpoint, innerjoin=True))
            .with_for_update(of=Delivery)
        )

    async def page(
        self, page: Page, endpoint_id: str, status: DeliveryStatus | None
    ) -> Sequence[Delivery]:
        """Deliveries to an endpoint that is known to be the merchant's."""
        rows = select(Delivery).where(Delivery.endpoint_id == endpoint_id)
        if status is not None:
            rows = rows.where(Delivery.status == status.value)
        return (await self._session.scalars(page.of_rows(rows))).all()


async def plan(session: AsyncSession, events: Sequence[Event]) -> None:
    """Plan deliveries of events to all who want them; those that were planned before stay so."""
    await session.execute(_PLAN, {"events": [event.id for event in events]})


async def claim_due(session: AsyncSession, lease_seconds: float, limit: int) -> Sequence[str]:
    """Be the one who makes some deliveries that are due, the longest due first."""
    pending = Delivery.status == DeliveryStatus.PENDING.value
    which = pending & (Delivery.due_at <= func.clock_timestamp())
    return await claim(session, Delivery, which, lease_seconds, limit=limit)


async def load(session: AsyncSession, delivery_id: str) -> Delivery | None:
    """A delivery with its endpoint and event, unless its endpoint was deleted."""
    return await session.scalar(_whole(delivery_id))


async def lock(session: AsyncSession, delivery_id: str) -> Delivery | None:
    """The same, locked."""
    return await session.scalar(
        _whole(delivery_id).with_for_update(of=Delivery).execution_options(populate_existing=True)
    )


def _whole(delivery_id: str) -> Select[Delivery]:
    return (
        select(Delivery)
        .where(Delivery.id == delivery_id)
        .options(
            joinedload(Delivery.endpoint, innerjoin=True),
            joinedload(Delivery.event, innerjoin=True),
        )
    )
