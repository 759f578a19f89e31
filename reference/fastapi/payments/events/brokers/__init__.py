"""The brokers that events can be published to."""

from payments.events.broker import Broker
from payments.events.brokers.database import DatabaseBroker
from payments.kit.database import Database
from payments.kit.settings import SettingsError


def open_broker(url: str, database: Database) -> Broker:
    """The broker of an address; the database itself without one. Nothing is connected yet.

    Raises:
        SettingsError: what speaks to that broker is not installed.
    """
    if not url:
        return DatabaseBroker(database)
    try:
        if url.startswith("kafka://"):
            from payments.events.brokers.kafka import KafkaBroker

            return KafkaBroker(url.removeprefix("kafka://").rstrip("/"))
        from payments.events.brokers.rabbitmq import RabbitBroker

        return RabbitBroker(url)
    except ImportError as error:
        raise SettingsError(
            f"BROKER_URL needs {error.name}: install what requirements-brokers.txt lists."
        ) from None
