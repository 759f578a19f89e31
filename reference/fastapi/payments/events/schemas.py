"""Events, as spoken."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from payments.events.models import Event, EventType


class EventOut(BaseModel):
    """An event; ``data`` is the object as it was shown then."""

    id: str
    type: EventType
    object: str
    sequence: int
    data: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, event: Event) -> Self:
        """Show an event."""
        return cls(
            id=event.id,
            type=EventType(event.type),
            object=event.object_id,
            sequence=event.sequence,
            data=event.data,
            created_at=event.created_at,
        )
