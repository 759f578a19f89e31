"""The database itself as a broker: a log that any number of consumers read at their own pace."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import BigInteger, Identity, func, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from payments.events.broker import BrokerError, Message
from payments.kit.database import Base, BusyError, Database

_APPENDING = 7_031_594
"""The advisory lock of whoever appends."""


class LoggedMessage(Base):
    """A message in the log.

    Messages are appended one transaction after another, so a reader that remembers the last
    ``position`` it has seen misses none.
    """

    __tablename__ = "messages"

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    merchant_id: Mapped[str]
    body: Mapped[str]
    published_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class DatabaseBroker:
    """Appends to the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append messages, all or none.

        Raises:
            BrokerError: the database could not do it now.
        """
        rows = [asdict(message) for message in messages]
        try:
            async with (uow := self._database.unit_of_work()):
                await uow.session.execute(select(func.pg_advisory_xact_lock(_APPENDING)))
                await uow.session.execute(insert(LoggedMessage), rows)
        except (BusyError, DBAPIError, OSError) as error:
            raise BrokerError("the log could not be written") from error

    async def close(self) -> None:
        """Nothing: the database is closed by whoever opened it."""
