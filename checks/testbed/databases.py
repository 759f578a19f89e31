"""The databases and roles of one run: a template for each submission, a clone for each testbed.

A submission's role owns its template, migrates it, and is then shut out: nobody connects to a
template. Each testbed gets a clone, and a login role of its own that has the submission's role's
rights, so that tables keep their owner. CONNECT is nobody's by default.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import asyncpg

from checks.testbed.errors import MachineError, TestbedError, UsageError
from checks.testbed.postgres import Server

#: How many connections one role may have at once.
CONNECTION_LIMIT = 60
_PREFIX = "assay_"


@dataclass(frozen=True, slots=True)
class Database:
    """A database and the one role that may connect to it; both have names of this run."""

    name: str
    role: str
    password: str

    def url(self, port: int) -> str:
        """What the service gets as ``DATABASE_URL``: an endpoint of the SQL proxy."""
        return f"postgresql://{self.role}:{quote(self.password)}@127.0.0.1:{port}/{self.name}"


class Databases:
    """Makes and drops the databases of one run; made by ``Databases.open``."""

    def __init__(self, server: Server, pool: asyncpg.Pool[Any], run: str) -> None:
        self.server = server
        self._pool = pool
        self._run = run
        self._numbers = itertools.count(1)
        self._dropping = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server) -> AsyncIterator[Self]:
        """Everything made meanwhile is dropped in the end, unless the server is ours alone.

        On an external server, what killed runs have left is dropped first: a run holds an advisory
        lock as long as it lives.
        """
        run = secrets.token_hex(4)
        try:
            pool = await asyncpg.create_pool(server.dsn(), min_size=1, max_size=6, timeout=30)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise _failure(server, error) from error
        try:
            async with pool.acquire() as holder:
                databases = cls(server, pool, run)
                if not server.embedded:
                    await holder.execute("SELECT pg_advisory_lock($1)", _lock(run))
                    await databases._sweep()
                try:
                    yield databases
                finally:
                    if not server.embedded:
                        await databases._drop_run(run)
        finally:
            pool.terminate() if server.embedded else await pool.close()

    async def template(self) -> Database:
        """An empty database, owned by a new role, to be migrated by it."""
        database = await self._role()
        await self._create(database, "template0")
        return database

    async def seal(self, template: Database) -> None:
        """From now on nobody connects to a template: not its role, and no superuser either."""
        async with self._connection() as connection:
            await connection.execute(f"ALTER ROLE {template.role} NOLOGIN")
            await connection.execute(f"ALTER DATABASE {template.name} ALLOW_CONNECTIONS false")
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                template.name,
            )

    async def clone(self, template: Database) -> Database:
        """A copy of a sealed template with a login role of its own."""
        database = await self._role()
        try:
            async with self._connection() as connection:
                await connection.execute(f"GRANT {template.role} TO {database.role}")
            await self._create(database, template.name)
        except BaseException:
            await self.drop(database)
            raise
        return database

    async def drop(self, database: Database) -> None:
        """Drop a database and its role, whoever is connected."""
        async with self._connection() as connection:
            await connection.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")
            with suppress(asyncpg.DependentObjectsStillExistError):
                await connection.execute(f"DROP ROLE IF EXISTS {database.role}")

    async def _role(self) -> Database:
        name = f"{_PREFIX}{self._run}_{next(self._numbers)}"
        password = secrets.token_hex(24)
        async with self._connection() as connection:
            await connection.execute(
                f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
                f" CONNECTION LIMIT {CONNECTION_LIMIT} PASSWORD '{password}'"
            )
            if self.server.superuser:
                # So that a deadlock is told within the time that the contract leaves for it.
                await connection.execute(f"ALTER ROLE {name} SET deadlock_timeout = '50ms'")
            else:
                await connection.execute(f"GRANT {name} TO CURRENT_USER")
        return Database(name, name, password)

    async def _create(self, database: Database, template: str) -> None:
        async with self._connection() as connection:
            # Copied through the WAL: copying files would force a checkpoint on everybody.
            await connection.execute(
                f"CREATE DATABASE {database.name} TEMPLATE {template} OWNER {database.role}"
                " STRATEGY wal_log"
            )
            await connection.execute(f"REVOKE ALL ON DATABASE {database.name} FROM PUBLIC")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[Any]]:
        try:
            async with self._pool.acquire(timeout=30) as connection:
                yield connection
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            raise _failure(self.server, error) from error

    async def _sweep(self) -> None:
        """Drop what runs have left that are no more, as far as it is ours to drop."""
        async with self._connection() as connection:
            names = await connection.fetch(
                "SELECT rolname AS name FROM pg_roles WHERE rolname ~ '^assay_[0-9a-f]{8}_'"
                " AND pg_has_role(oid, 'MEMBER') UNION SELECT datname FROM pg_database"
                " WHERE datname ~ '^assay_[0-9a-f]{8}_' AND pg_has_role(datdba, 'MEMBER')"
            )
            runs = {row["name"].split("_")[1] for row in names} - {self._run}
            for run in sorted(runs):
                if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _lock(run)):
                    await self._drop_run(run)
                    await connection.execute("SELECT pg_advisory_unlock($1)", _lock(run))

    async def _drop_run(self, run: str) -> None:
        async with self._connection() as connection:
            like = f"{_PREFIX}{run}\\_%"
            for row in await connection.fetch(
                "SELECT datname FROM pg_database WHERE datname LIKE $1", like
            ):
                await connection.execute(f"DROP DATABASE IF EXISTS {row['datname']} WITH (FORCE)")
            for row in await connection.fetch(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE $1", like
            ):
                await connection.execute(f"DROP ROLE IF EXISTS {row['rolname']}")


def _lock(run: str) -> int:
    return int(run, 16) + (0xA55A << 32)


def _failure(server: Server, error: BaseException) -> TestbedError:
    """One sentence; an external server is the user's to mend, the embedded one ours."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if server.embedded:
        return MachineError(f"PostgreSQL refused what the testbed needs: {text}.")
    return UsageError(f"The server of ASSAY_DATABASE_URL refused what the testbed needs: {text}.")
