"""A Kafka broker to test against: the mock cluster in librdkafka, which speaks the real protocol.

It lives in this process, and any client may connect to it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient


@contextmanager
def serve() -> Iterator[str]:
    """Start one; its address as BROKER_URL has it."""
    holder = AdminClient({"test.mock.num.brokers": 1})
    (broker,) = holder.list_topics(timeout=30).brokers.values()
    yield f"kafka://{broker.host}:{broker.port}"
    del holder
