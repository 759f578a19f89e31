"""Webhook endpoints and deliveries, as stored."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ARRAY, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payments.events.models import Event
from payments.kit.claims import Claimable
from payments.kit.database import Base


class DeliveryStatus(StrEnum):
    """How far a delivery is; dead if it was tried as often as it is going to be."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class WebhookEndpoint(Base):
    """A merchant's server; the secrets are sealed.

    ``types`` are those that it is told of, none for all. Until ``previous_until`` what is sent is
    signed under the secret before, too.
    """

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    url: Mapped[str]
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret: Mapped[bytes]
    previous_secret: Mapped[bytes | None]
    previous_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Delivery(Claimable, Base):
    """One event for one endpoint: there is one, however often the event was published.

    ``status_code`` and ``failure`` are of the last attempt. ``due_at``: when the next one is;
    ``claimed_until``: until then somebody is at it.
    """

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("endpoint_id", "event_id"),)

    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"))
    status: Mapped[str]
    attempts: Mapped[int]
    status_code: Mapped[int | None]
    failure: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    endpoint: Mapped[WebhookEndpoint] = relationship(lazy="raise")
    event: Mapped[Event] = relationship(
        lazy="raise", primaryjoin=Event.id == event_id, foreign_keys=[event_id]
    )
