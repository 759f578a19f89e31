"""Who may connect where, and what stays when everything is over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from checks.testbed.cluster import MAX_CONNECTIONS
from checks.testbed.databases import CONNECTION_LIMIT, Database, Databases
from checks.testbed.errors import UsageError
from checks.testbed.host import Host
from checks.testbed.postgres import Server, open_server
from tests.checks.testbed.probing import Prober

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def connect(server: Server, database: Database, name: str | None = None) -> Any:
    return await asyncpg.connect(
        host=server.host,
        port=server.port,
        user=database.role,
        password=database.password,
        database=name or database.name,
    )


async def test_a_role_connects_to_its_own_database_only(host: Host, prober: Prober) -> None:
    mine = prober.testbed.database
    template = prober.testbed.submission.template
    connection = await connect(host.server, mine)
    await connection.close()
    theirs = await host.databases.template()
    try:
        for name in ("postgres", "template0", "template1", template.name, theirs.name):
            with pytest.raises(
                (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)
            ):
                await connect(host.server, mine, name)
    finally:
        await host.databases.drop(theirs)


async def test_the_same_through_the_proxy(prober: Prober, neighbour: Prober) -> None:
    other = neighbour.testbed.database.name
    for name in ("postgres", "template1", other):
        answer = await prober.run(f"""
import asyncio, asyncpg, os
url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/{name}"
asyncio.run(asyncpg.connect(url))
""")
        assert answer["error"] == "InsufficientPrivilegeError"


async def test_nobody_gets_in_without_a_password(prober: Prober) -> None:
    answer = await prober.run("""
import asyncio, asyncpg, os
port = int(os.environ["DATABASE_URL"].rpartition("/")[0].rpartition(":")[2])
asyncio.run(asyncpg.connect(host="127.0.0.1", port=port, user="assay", password="", ssl=False))
""")
    assert answer["error"] == "InvalidPasswordError"


async def test_nobody_connects_to_a_template(prober: Prober, host: Host) -> None:
    template = prober.testbed.submission.template
    with pytest.raises(asyncpg.PostgresError):
        await asyncpg.connect(host.server.dsn(template.name))
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await connect(host.server, template)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE more",
        "CREATE DATABASE more",
        "SET ROLE assay",
        "SET deadlock_timeout = '1h'",
        "ALTER SYSTEM SET fsync = on",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "COPY notes TO PROGRAM 'id'",
        "COPY notes FROM '/etc/passwd'",
        "CREATE EXTENSION dblink",
        "SELECT passwd FROM pg_shadow",
        "SELECT pg_reload_conf()",
    ],
)
async def test_its_role_is_an_ordinary_one(host: Host, prober: Prober, statement: str) -> None:
    connection = await connect(host.server, prober.testbed.database)
    try:
        with pytest.raises(
            (
                asyncpg.InsufficientPrivilegeError,
                asyncpg.FeatureNotSupportedError,
                asyncpg.UndefinedFileError,
            )
        ):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_role_has_a_connection_limit(host: Host, prober: Prober) -> None:
    template = prober.testbed.submission.template
    database = await host.databases.clone(template)
    opened: list[asyncpg.Connection] = []
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            for _ in range(CONNECTION_LIMIT + 1):
                opened.append(await connect(host.server, database))  # noqa: PERF401
        assert len(opened) == CONNECTION_LIMIT
    finally:
        for connection in opened:
            connection.terminate()
        await host.databases.drop(database)


async def test_a_clone_has_the_migrated_rows_and_may_be_migrated_further(
    host: Host, prober: Prober
) -> None:
    database = await host.databases.clone(prober.testbed.submission.template)
    connection = await connect(host.server, database)
    try:
        assert await connection.fetchval("SELECT text FROM notes") == "migrated"
        await connection.execute("ALTER TABLE notes ADD COLUMN more int")
        assert await connection.fetchval("SHOW deadlock_timeout") == "50ms"
    finally:
        await connection.close()
        await host.databases.drop(database)


async def test_the_server_is_as_the_design_says(host: Host) -> None:
    connection = await asyncpg.connect(host.server.dsn())
    try:
        expected = {
            "listen_addresses": "",
            "fsync": "off",
            "synchronous_commit": "on",
            "full_page_writes": "off",
            "max_connections": str(MAX_CONNECTIONS),
            "password_encryption": "scram-sha-256",
        }
        for name, value in expected.items():
            assert await connection.fetchval("SELECT current_setting($1)", name) == value
        assert str(await connection.fetchval("SHOW server_version")).startswith("18")
    finally:
        await connection.close()
    assert (host.folder / "postgres" / "socket").stat().st_mode & 0o077 == 0


async def test_databases_and_roles_are_dropped_on_an_external_server(
    host: Host,
) -> None:
    """The embedded server stands in for an external one, with an administrator of its own."""
    admin = await asyncpg.connect(host.server.dsn())
    await admin.execute(
        "CREATE ROLE external LOGIN CREATEDB CREATEROLE PASSWORD 'x'; "
        "GRANT pg_read_all_stats TO external; GRANT CONNECT ON DATABASE postgres TO external"
    )
    server = Server(
        host.server.host,
        host.server.port,
        "external",
        "x",
        "postgres",
        "18",
        embedded=False,
        superuser=False,
    )
    try:
        async with Databases.open(server) as left:
            template = await left.template()
            await left.seal(template)
            clone = await left.clone(template)
            observer = await asyncpg.connect(server.dsn(clone.name))
            await observer.close()
            abandoned = f"assay_{'0' * 8}_1"
            await admin.execute(
                f"CREATE ROLE {abandoned} ADMIN external; GRANT {abandoned} TO external"
            )
            await admin.execute(f"CREATE DATABASE {abandoned} OWNER {abandoned}")
            # A second run drops what is nobody's, and leaves the first one's alone.
            async with Databases.open(server):
                names = {
                    row["datname"] for row in await admin.fetch("SELECT datname FROM pg_database")
                }
                assert abandoned not in names
                assert {template.name, clone.name} <= names
        for query in ("SELECT datname FROM pg_database", "SELECT rolname FROM pg_roles"):
            names = {row[0] for row in await admin.fetch(query)}
            assert not names & {template.name, clone.name, abandoned}
    finally:
        await admin.execute("DROP OWNED BY external; DROP ROLE external")
        await admin.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://a:b@localhost/c", "must read postgresql://"),
        ("postgresql://localhost", "must read postgresql://"),
        ("postgresql://a:b@127.0.0.1:9/c", "cannot be used"),
    ],
)
async def test_a_server_that_cannot_be_used_is_one_sentence(
    url: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSAY_DATABASE_URL", url)
    with pytest.raises(UsageError) as raised:
        async with open_server(tmp_path / "x"):
            pass
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(".")


async def test_many_clones_at_once(host: Host, prober: Prober) -> None:
    template = prober.testbed.submission.template
    clones = await asyncio.gather(*(host.databases.clone(template) for _ in range(8)))
    assert len({clone.name for clone in clones}) == 8
    await asyncio.gather(*(host.databases.drop(clone) for clone in clones))
