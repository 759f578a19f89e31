"""RabbitMQ as a broker: a durable topic exchange, with a confirmation for each message.

Consumers bind durable queues of their own to the exchange ``payments.events``, by the type of the
events that they want, such as ``payment.*``. What no queue is bound for is dropped by RabbitMQ.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError

from payments.events.broker import BrokerError, Message

EXCHANGE = "payments.events"
CONNECT_SECONDS = 3.0
CONFIRM_SECONDS = 5.0


class RabbitBroker:
    """Publishes to one exchange over one connection, which is opened when it is needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages, those of one key one by one.

        The next one of a key waits for RabbitMQ to have the one before: if that is refused, what
        follows must not come first.

        Raises:
            BrokerError: not all were confirmed.
        """
        by_key: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_key[message.key].append(message)
        try:
            exchange = await self._open()
            await asyncio.gather(*(_publish(exchange, line) for line in by_key.values()))
        except (AMQPError, OSError, TimeoutError, asyncio.CancelledError) as error:
            await self.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise BrokerError("RabbitMQ did not confirm") from error

    async def _open(self) -> AbstractExchange:
        async with self._opening:
            if self._exchange is None or self._connection is None or self._connection.is_closed:
                self._connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS)
                channel = await self._connection.channel(publisher_confirms=True)
                self._exchange = await channel.declare_exchange(
                    EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True, timeout=CONNECT_SECONDS
                )
            return self._exchange

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await connection.close()


async def _publish(exchange: AbstractExchange, line: Sequence[Message]) -> None:
    for message in line:
        await exchange.publish(
            aio_pika.Message(
                message.body.encode(),
                message_id=message.event_id,
                type=message.kind,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                headers={"key": message.key, "merchant": message.merchant_id},
            ),
            routing_key=message.kind,
            mandatory=False,
            timeout=CONFIRM_SECONDS,
        )
