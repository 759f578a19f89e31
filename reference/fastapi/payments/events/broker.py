"""Where events are published: one small interface, and who stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from payments.events.models import Event
from payments.events.schemas import EventOut


class BrokerError(Exception):
    """The broker may not have taken what it was given; it is published again."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way: the broker keeps messages of one ``key`` in order.

    ``body`` is the event as merchants see it, in JSON, with the merchant it concerns beside it.
    """

    event_id: str
    kind: str
    key: str
    merchant_id: str
    body: str

    @classmethod
    def of(cls, event: Event) -> "Message":
        """What is told of an event."""
        return cls(
            event_id=event.id,
            kind=event.type,
            key=f"{event.merchant_id}/{event.object_id}",
            merchant_id=event.merchant_id,
            body=EventOut.of(event).model_dump_json(),
        )


class Broker(Protocol):
    """Takes messages for good: when ``publish`` returns, all of them are safe, in order."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Give it messages.

        Raises:
            BrokerError: some or all may not have been taken.
        """

    async def close(self) -> None:
        """Let go of it."""
