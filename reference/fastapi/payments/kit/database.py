"""The database: one engine a process, and the unit of work that bounds each transaction."""

import asyncio
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, DateTime, MetaData, event, func, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

CONNECT_SECONDS = 3
POOL_WAIT_SECONDS = 3
LOCK_WAIT_MILLISECONDS = 3_000
STATEMENT_MILLISECONDS = 10_000

LOST_RACES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled, by the statement time-out
    }
)


class Base(DeclarativeBase):
    """What all tables have in common."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}


class BusyError(Exception):
    """The database could not serve this unit of work now; it was rolled back whole."""


def asyncpg_url(url: str) -> URL:
    """A ``postgresql://`` address for the asyncpg driver; percent-encoding is respected."""
    parsed = make_url(url).set(drivername="postgresql+asyncpg")
    query = dict(parsed.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return parsed.set(query=query)


def seconds_from_now(seconds: float) -> ColumnElement[datetime]:
    """A moment by the database's clock, which all replicas share.

    ``clock_timestamp`` moves on inside a transaction; ``now`` is as old as the locks waited for.
    """
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


class Database:
    """The engine and its bounded pool."""

    def __init__(self, url: str, *, connections: int) -> None:
        self._engine: AsyncEngine = create_async_engine(
            asyncpg_url(url),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            # An exception must not carry values, such as names and references, into a log.
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "server_settings": {
                    "application_name": "payments",
                    "jit": "off",
                    "lock_timeout": str(LOCK_WAIT_MILLISECONDS),
                    "statement_timeout": str(STATEMENT_MILLISECONDS),
                    "idle_in_transaction_session_timeout": str(STATEMENT_MILLISECONDS),
                },
            },
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_dead)

    def unit_of_work(self) -> "UnitOfWork":
        """A fresh unit of work; none is shared between tasks."""
        return UnitOfWork(self._engine)

    async def ping(self) -> None:
        """Ask the server for an answer.

        Raises:
            BusyError: no connection could be had.
            sqlalchemy.exc.DBAPIError: the server refused.
        """
        async with self.unit_of_work() as uow:
            await uow.session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


class UnitOfWork:
    """One database transaction for each ``async with`` block.

    Leaving the block commits; an exception rolls back. The same object may be entered again, one
    block after another, and each block is a transaction of its own. Between two blocks no
    connection is held, so that is where outside calls belong.

    Raises:
        BusyError: on entering, when no connection can be had in time; on leaving, when the
            transaction lost a race (deadlock, serialization failure, lock or statement time-out).
            Either way this unit of work did nothing.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """The session of the block that is open."""
        if self._session is None:
            raise RuntimeError("the unit of work is used outside its block")
        return self._session

    async def __aenter__(self) -> Self:
        if self._session is not None:
            raise RuntimeError("the unit of work is already open")
        session = AsyncSession(self._engine, expire_on_commit=False)
        try:
            await session.connection()
        except (PoolTimeoutError, TimeoutError, OSError, DBAPIError) as error:
            await session.close()
            raise BusyError("no database connection") from error
        except BaseException:
            await session.close()
            raise
        self._session = session
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session = self.session
        self._session = None
        try:
            if error is None:
                await session.commit()
        except DBAPIError as failure:
            error = failure
            raise
        finally:
            # Rolls back what is not committed; shielded, so that a cancelled request returns
            # its connection in order.
            await asyncio.shield(session.close())
            if isinstance(error, DBAPIError) and sqlstate(error) in LOST_RACES:
                raise BusyError("the transaction lost a race") from error


def _refuse_dead(connection: Any, _: object, __: object) -> None:
    """Have the pool replace a connection that the server has closed since it was used last.

    The driver knows it without asking the server, as a ping before each use would.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's five-character code of a failure, if it has one."""
    code = getattr(error.orig, "sqlstate", None)
    return code if isinstance(code, str) else None


def listen(database: Database, name: str, listener: Any) -> None:
    """Have a listener told what happens at the engine or in its pool, by SQLAlchemy's names."""
    event.listen(database._engine.sync_engine, name, listener)


def connections_in_use(database: Database) -> int:
    """How many connections of the pool are in use now."""
    pool: Any = database._engine.pool
    return int(pool.checkedout())
