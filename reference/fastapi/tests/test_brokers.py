"""Rule 16.6 at real brokers: RabbitMQ's server, and librdkafka's mock of Kafka."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import pytest

from payments.dependencies import Context
from payments.events import relay
from payments.events.broker import BrokerError, Message
from payments.events.brokers import open_broker
from payments.kit.ids import new_id
from payments.kit.settings import Settings, SettingsError
from testkit import kafka, rabbitmq
from testkit.outbox import publish_all, tell

aio_pika = pytest.importorskip("aio_pika", reason="requirements-brokers.txt is not installed")
confluent_kafka = pytest.importorskip("confluent_kafka")

OBJECTS, STEPS = 8, 10


class Consumer(Protocol):
    """Somebody who reads from a broker."""

    async def read(self, merchant_id: str, count: int) -> list[dict[str, object]]:
        """The next events of a merchant, so many."""


class RabbitConsumer:
    """A queue of its own, bound for payouts."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def bind(self) -> None:
        self._connection = await aio_pika.connect(self._url)
        channel = await self._connection.channel()
        exchange = await channel.declare_exchange(
            "payments.events", aio_pika.ExchangeType.TOPIC, durable=True
        )
        self._queue = await channel.declare_queue(exclusive=True)
        await self._queue.bind(exchange, "payout.*")

    async def read(self, merchant_id: str, count: int) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        async with asyncio.timeout(60), self._queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    if message.headers["merchant"] == merchant_id:
                        event = json.loads(message.body)
                        assert message.message_id == event["id"]
                        assert message.type == event["type"] == message.routing_key
                        found.append(event)
                if len(found) == count:
                    break
        return found

    async def close(self) -> None:
        await self._connection.close()


class KafkaConsumer:
    """A consumer group of its own."""

    def __init__(self, url: str) -> None:
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": url.removeprefix("kafka://"),
                "group.id": new_id("group"),
                "auto.offset.reset": "earliest",
            }
        )

    async def bind(self) -> None:
        self._consumer.subscribe(["payments.events"])

    async def read(self, merchant_id: str, count: int) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                message = await asyncio.to_thread(self._consumer.poll, 0.5)
                if message is None or message.error():
                    continue
                headers = dict(message.headers())
                if headers["merchant"] != merchant_id.encode():
                    continue
                event = json.loads(message.value())
                assert headers["id"] == event["id"].encode()
                assert message.key().decode().endswith(event["object"])
                found.append(event)
        return found

    async def close(self) -> None:
        await asyncio.to_thread(self._consumer.close)


@pytest.fixture(scope="module")
def rabbit_url() -> Iterator[str]:
    """The address of a RabbitMQ."""
    if not rabbitmq.installed():
        pytest.skip("RabbitMQ's server is not installed (on Debian: rabbitmq-server)")
    with rabbitmq.serve() as url:
        yield url


@pytest.fixture(scope="module")
def kafka_url() -> Iterator[str]:
    """The address of a Kafka."""
    with kafka.serve() as url:
        yield url


@pytest.fixture(params=["rabbitmq", "kafka"])
def named(request: pytest.FixtureRequest) -> tuple[str, type]:
    """A broker's address, and who reads from it."""
    if request.param == "kafka":
        return request.getfixturevalue("kafka_url"), KafkaConsumer
    return request.getfixturevalue("rabbit_url"), RabbitConsumer


async def test_events_arrive_in_the_order_of_each_object(
    context: Context, named: tuple[str, type]
) -> None:
    url, consumer_of = named
    consumer = consumer_of(url)
    await consumer.bind()
    broker = open_broker(url, context.database)
    publishing = replace(context, broker=broker)
    await publish_all(context)
    merchant_id, objects = new_id("mer"), [new_id("po") for _ in range(OBJECTS)]
    for step in range(STEPS):
        await asyncio.gather(*(tell(context, merchant_id, one) for one in objects))
        if step % 3 == 0:
            await asyncio.gather(relay.of_due(publishing), relay.of_due(publishing))
    await publish_all(publishing)
    seen: dict[object, list[object]] = defaultdict(list)
    for event in await consumer.read(merchant_id, OBJECTS * STEPS):
        if event["sequence"] not in seen[event["object"]]:
            seen[event["object"]].append(event["sequence"])
    assert seen == {one: list(range(1, STEPS + 1)) for one in objects}
    await consumer.close()
    await broker.close()


async def test_a_broker_that_is_away_is_an_error_and_then_used_again(
    context: Context, named: tuple[str, type]
) -> None:
    url, _ = named
    scheme = url.partition("://")[0]
    away = open_broker(f"{scheme}://127.0.0.1:1", context.database)
    message = Message(new_id("evt"), "payout.paid", "m/po", "mer", '{"id": "x"}')
    with pytest.raises(BrokerError):
        await away.publish([message])
    await away.close()
    there = open_broker(url, context.database)
    await there.publish([message])
    await there.close()
    await there.publish([message])
    await there.close()


async def test_other_addresses_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="BROKER_URL"):
        Settings.from_environment(environment | {"BROKER_URL": "redis://localhost"})
