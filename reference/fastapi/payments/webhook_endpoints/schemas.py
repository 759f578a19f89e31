"""Webhook endpoints and deliveries, as spoken."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from payments.events.models import EventType
from payments.webhook_endpoints.models import Delivery, DeliveryStatus, WebhookEndpoint
from payments.webhook_endpoints.standard import shown

Url = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
Types = Annotated[list[EventType], Field(min_length=1, max_length=len(EventType))]


class EndpointCreate(BaseModel):
    """An endpoint to be registered; without types it is told of everything."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    types: Types | None = None


class EndpointChange(BaseModel):
    """What is to be different; ``types`` null means everything."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    types: Types | None = None
    disabled: StrictBool | None = None


class SecretRotate(BaseModel):
    """A secret to be replaced: nothing about it can be chosen."""

    model_config = ConfigDict(extra="forbid")


class Redelivery(BaseModel):
    """A delivery to be made again: nothing about it can be chosen."""

    model_config = ConfigDict(extra="forbid")


class EndpointOut(BaseModel):
    """An endpoint."""

    id: str
    url: str
    types: list[EventType] | None
    disabled: bool
    created_at: datetime

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> Self:
        """Show an endpoint."""
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            types=[EventType(one) for one in endpoint.types] or None,
            disabled=endpoint.disabled_at is not None,
            created_at=endpoint.created_at,
        )


class EndpointWithSecret(EndpointOut):
    """An endpoint, with the secret that is shown once."""

    secret: str

    @classmethod
    def revealing(cls, endpoint: WebhookEndpoint, secret: bytes) -> Self:
        """Show it with its secret."""
        return cls(**EndpointOut.of(endpoint).model_dump(), secret=shown(secret))


class DeliveryOut(BaseModel):
    """A delivery; ``status_code`` and ``failure`` are of its last attempt."""

    id: str
    endpoint: str
    event: str
    status: DeliveryStatus
    attempts: int
    status_code: int | None
    failure: str | None
    due_at: datetime | None
    delivered_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Show a delivery."""
        pending = delivery.status == DeliveryStatus.PENDING
        return cls(
            id=delivery.id,
            endpoint=delivery.endpoint_id,
            event=delivery.event_id,
            status=DeliveryStatus(delivery.status),
            attempts=delivery.attempts,
            status_code=delivery.status_code,
            failure=delivery.failure,
            due_at=delivery.due_at if pending else None,
            delivered_at=delivery.delivered_at,
            created_at=delivery.created_at,
        )
