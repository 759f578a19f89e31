"""The PostgreSQL server of one run: embedded by default, or the one ``ASSAY_DATABASE_URL`` names.

The embedded server's binaries come with a package; how they run is ours: SCRAM for everybody, no
TCP listener, a Unix socket in a private folder. As root it runs under a user of its own.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from checks.testbed.cluster import SUPERUSER, lay_out, reachable_binaries
from checks.testbed.confine import Confinement
from checks.testbed.errors import MachineError, UsageError
from checks.testbed.order import Order
from checks.testbed.process import CommandError, Process
from checks.testbed.users import private_user

#: The port in the embedded server's socket's name.
PORT = 5432
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server, by the connection of somebody who may create databases and roles.

    ``host`` is a folder that holds the Unix socket, or a TCP host. ``embedded`` says whether the
    server is ours alone.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    version: str
    embedded: bool
    superuser: bool

    def dsn(self, database: str | None = None) -> str:
        """A connection string to one of its databases, past the proxy."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        name = quote(database or self.database, safe="")
        return f"postgresql://{user}:{password}@/{name}?host={quote(self.host)}&port={self.port}"

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket, where it has one."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else None


@asynccontextmanager
async def open_server(folder: Path, held: tuple[int, ...] = ()) -> AsyncIterator[Server]:
    """The server for one run; an embedded one lives in ``folder``, and as long as the block.

    ``held`` are descriptors that the server's keeper holds until it is gone. Raises ``UsageError``
    where ``ASSAY_DATABASE_URL`` names no usable server, ``MachineError`` where ours does not start.
    """
    url = os.environ.get("ASSAY_DATABASE_URL")
    if url:
        yield await _external(url)
        return
    with ExitStack() as stack:
        user = stack.enter_context(private_user())
        data, password = await asyncio.to_thread(lay_out, folder, user)
        process = await _start(folder, data, user, held)
        try:
            yield await _ready(process, folder, password)
        finally:
            await process.end()


async def _start(folder: Path, data: Path, uid: int | None, held: tuple[int, ...]) -> Process:
    order = Order(
        argv=[str(reachable_binaries() / "postgres"), "-D", str(data)],
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        folder=str(data),
        confinement=Confinement(uid=uid, limits=None, umask=0o077, seccomp=False),
        # An immediate shutdown also frees the segment that guards the data folder.
        end_signal=signal.SIGQUIT,
        grace=2.0,
    )
    try:
        return await Process.start(order, held)
    except CommandError as error:
        raise MachineError(f"PostgreSQL cannot be executed on this machine: {error}.") from error


async def _ready(process: Process, folder: Path, cached: str) -> Server:
    """The server once it takes connections, its superuser given a password of this run."""
    password = secrets.token_urlsafe(24)
    server = Server(
        host=str(folder / "socket"),
        port=PORT,
        user=SUPERUSER,
        password=password,
        database="postgres",
        version=platform.machine(),
        embedded=True,
        superuser=True,
    )
    connection = await _first_connection(process, server, cached)
    try:
        await connection.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'")
        for database in ("postgres", "template1"):
            await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        version = str(connection.get_settings().server_version)
    finally:
        await connection.close()
    return Server(
        server.host, PORT, SUPERUSER, password, "postgres", version, embedded=True, superuser=True
    )


async def _first_connection(
    process: Process, server: Server, password: str
) -> asyncpg.Connection[Any]:
    """Tries as soon as the socket is there; gives up when the server has exited."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while not process.exited.done() and asyncio.get_running_loop().time() < deadline:
        try:
            return await asyncpg.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=password,
                database=server.database,
                timeout=5,
            )
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.005)
    log, _ = await process.log()
    last = " ".join(log.strip().splitlines()[-1:]) or "it said nothing"
    raise MachineError(f"PostgreSQL did not start: {last}")


async def _external(url: str) -> Server:
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.hostname or not parts.username:
        raise UsageError(
            "ASSAY_DATABASE_URL must read postgresql://user:password@host:port/database."
        )
    server = Server(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or "postgres",
        version="",
        embedded=False,
        superuser=False,
    )
    try:
        connection = await asyncpg.connect(server.dsn(), timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        raise UsageError(
            f"The server of ASSAY_DATABASE_URL cannot be used: {_sentence(error)}"
        ) from error
    try:
        row = await connection.fetchrow(
            "SELECT rolsuper AS super, rolsuper OR (rolcreatedb AND rolcreaterole"
            " AND pg_has_role('pg_read_all_stats', 'MEMBER')) AS enough"
            " FROM pg_roles WHERE rolname = current_user"
        )
        version = str(connection.get_settings().server_version)
    finally:
        await connection.close()
    if row is None or not row["enough"]:
        raise UsageError(
            f"The user {server.user} of ASSAY_DATABASE_URL needs CREATEDB, CREATEROLE and "
            "pg_read_all_stats."
        )
    return Server(
        server.host,
        server.port,
        server.user,
        server.password,
        server.database,
        version,
        embedded=False,
        superuser=bool(row["super"]),
    )


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else text + "."
