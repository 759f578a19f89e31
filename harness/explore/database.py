"""The service's database: an empty one that is dropped in the end, or one that exists."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from checks.testbed.box import Scratch
from checks.testbed.errors import SubmissionError
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.postgres import Server
from checks.testbed.service import MIGRATE_SECONDS, run_once
from checks.testbed.sql.proxy import Endpoint
from harness.errors import UsageError
from harness.explore.launching import Unconfined, settings_of, with_log
from harness.explore.placeholders import in_text
from harness.explore.spec import Spec


@dataclass(frozen=True, slots=True)
class Access:
    """The service's database: the server behind the proxy, and who the service is there.

    ``observer`` is the connection string of one who sees all of its sessions.
    """

    server: Server
    name: str
    user: str
    password: str
    observer: str

    def told(self, port: int) -> dict[str, str]:
        """What stands for it in the service's settings, at that port of the proxy."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        secret = f":{password}" if password else ""
        return {
            "database_url": f"postgresql://{user}{secret}@127.0.0.1:{port}/{quote(self.name)}",
            "database_host": "127.0.0.1",
            "database_port": str(port),
            "database_name": self.name,
            "database_user": self.user,
            "database_password": self.password,
        }

    async def connect(self) -> asyncpg.Connection[Any]:
        """A connection as the service's own user, past the proxy."""
        return await asyncpg.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.user,
            password=self.password or None,
            database=self.name,
            timeout=10,
            statement_cache_size=0,
        )


async def open_database(spec: Spec, stack: AsyncExitStack) -> tuple[Access, tuple[int, ...]]:
    """The database, and what keepers are to hold."""
    if spec.database.url is not None:
        return await _existing(spec.database.url), ()
    host = await stack.enter_async_context(Host.open(trusted=True))
    made = await host.databases.template()

    async def drop() -> None:
        await host.databases.drop(made)

    stack.push_async_callback(drop)
    access = Access(host.server, made.name, made.role, made.password, host.server.dsn(made.name))
    return access, host.held


async def _existing(url: str) -> Access:
    parts = urlsplit(url)
    server = Server(
        host=parts.hostname or "",
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or unquote(parts.username or ""),
        version="",
        embedded=False,
        superuser=False,
    )
    access = Access(server, server.database, server.user, server.password, server.dsn())
    try:
        await (await access.connect()).close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UsageError(f"database: url: the database cannot be used: {said}.") from error
    return access


async def set_up(
    spec: Spec, home: Path, access: Access, launcher: Unconfined, began: float
) -> None:
    """Run the file of SQL, and the command that migrates."""
    if spec.database.schema_ is not None:
        path = home / spec.database.schema_
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"database: schema: {path} cannot be read: {error}.") from error
        connection = await access.connect()
        try:
            await connection.execute(text, timeout=MIGRATE_SECONDS)
        except (TimeoutError, asyncpg.PostgresError) as error:
            said = " ".join(str(error).split()).rstrip(".") or "it takes too long"
            raise UsageError(f"database: schema: {path.name} was refused: {said}.") from error
        finally:
            connection.terminate()
    if spec.database.migrate:
        async with Endpoint(DatabaseUpstream(access.server), began) as endpoint:
            told = access.told(endpoint.port)
            command = tuple(in_text(word, told) for word in spec.database.migrate)
            settings = settings_of(spec, {**told, "port": ""})
            scratch = Scratch(launcher.folder, None)
            try:
                await run_once(
                    launcher, command, "migrate", scratch, settings, seconds=MIGRATE_SECONDS
                )
            except SubmissionError as error:
                raise UsageError(with_log(f"database: migrate: {error}", error.logs)) from error
