"""Kafka as a broker: one topic, whose partitions keep the events of an object in order.

Messages go to the topic ``payments.events`` under a key of merchant and object.
"""

import asyncio
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Report

from payments.events.broker import BrokerError, Message

TOPIC = "payments.events"
CONFIRM_SECONDS = 5.0


class KafkaBroker:
    """Publishes to one topic through an idempotent producer, which keeps order when it repeats.

    A producer that failed to deliver is not used again: what it was given after that must not
    come first.
    """

    def __init__(self, servers: str) -> None:
        self._settings = {
            "bootstrap.servers": servers,
            "client.id": "payments",
            "enable.idempotence": True,
            "acks": "all",
            "enable.gapless.guarantee": True,
            "message.timeout.ms": int(CONFIRM_SECONDS * 1000),
            "linger.ms": 2,
        }
        self._producer: Producer | None = None

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages.

        Raises:
            BrokerError: not all were confirmed.
        """
        try:
            await asyncio.to_thread(self._deliver, messages)
        except (KafkaException, BufferError) as error:
            raise BrokerError("Kafka did not confirm") from error

    def _deliver(self, messages: Sequence[Message]) -> None:
        producer = self._producer or Producer(self._settings)
        self._producer = None
        failures: list[KafkaError] = []

        def reported(failure: KafkaError | None, _: Report) -> None:
            if failure is not None:
                failures.append(failure)

        try:
            for message in messages:
                producer.produce(
                    TOPIC,
                    key=message.key.encode(),
                    value=message.body.encode(),
                    headers={
                        "id": message.event_id,
                        "type": message.kind,
                        "merchant": message.merchant_id,
                    },
                    on_delivery=reported,
                )
            left = producer.flush(2 * CONFIRM_SECONDS)
        except BaseException:
            producer.purge()
            raise
        if failures:
            raise KafkaException(failures[0])
        if left:
            producer.purge()
            raise BufferError(f"{left} messages are left")
        self._producer = producer

    async def close(self) -> None:
        """Let go of the producer; it has nothing left to deliver."""
        self._producer = None
