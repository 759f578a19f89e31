"""The SQL proxy passes everything through, and counts it right."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.databases import Database
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.sql.frames import Frames
from checks.testbed.sql.proxy import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Proxied:
    endpoint: Endpoint
    database: Database

    async def connect(self, **options: Any) -> Any:
        return await asyncpg.connect(self.database.url(self.endpoint.port), **options)


@pytest_asyncio.fixture(loop_scope="session")
async def proxied(host: Host) -> AsyncIterator[Proxied]:
    database = await host.databases.template()
    began = asyncio.get_running_loop().time()
    async with Endpoint(DatabaseUpstream(host.server), began) as endpoint:
        yield Proxied(endpoint, database)
    await host.databases.drop(database)


async def test_statements_transactions_and_rows_are_counted(proxied: Proxied) -> None:
    connection = await proxied.connect(ssl=False)
    await connection.execute("CREATE TABLE t (n int)")
    await connection.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(10)])
    assert len(await connection.fetch("SELECT n FROM t WHERE n < $1", 4)) == 4
    async with connection.transaction():
        await connection.execute("UPDATE t SET n = n + 1")
        await connection.execute("DELETE FROM t WHERE n > 5")
    count = proxied.endpoint.count
    assert (count.statements, count.transactions, count.rows, count.sessions) == (16, 4, 29, 1)
    texts = [statement.text for statement in proxied.endpoint.statements(since=11)]
    assert texts[0] == "SELECT n FROM t WHERE n < $1"
    assert texts[-1] == "COMMIT;"
    assert [s.rows for s in proxied.endpoint.statements(since=11)] == [4, 0, 10, 5, 0]
    await connection.close()


async def test_prepared_statements_keep_their_text(proxied: Proxied) -> None:
    connection = await proxied.connect()
    prepared = await connection.prepare("SELECT $1::int + 1")
    other = await connection.prepare("SELECT 'other'")
    assert await prepared.fetchval(1) == 2
    assert await other.fetchval() == "other"
    assert await prepared.fetchval(2) == 3
    texts = [statement.text for statement in proxied.endpoint.statements()]
    assert texts == ["SELECT $1::int + 1", "SELECT 'other'", "SELECT $1::int + 1"]
    await connection.close()


async def test_a_failed_statement_is_counted_and_its_transaction_too(proxied: Proxied) -> None:
    connection = await proxied.connect()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.fetchval("SELECT 1 / $1::int", 0)
    assert await connection.fetchval("SELECT 'after'") == "after"
    count = proxied.endpoint.count
    assert (count.statements, count.transactions, count.rows) == (2, 2, 1)
    assert [s.rows for s in proxied.endpoint.statements()] == [None, 1]
    await connection.close()


async def test_large_values_pass_whole_in_both_directions(proxied: Proxied) -> None:
    connection = await proxied.connect()
    value = "0123456789" * 2_000_000
    assert await connection.fetchval("SELECT $1::text", value) == value
    assert proxied.endpoint.count.rows == 1
    await connection.close()


async def test_copy_passes(proxied: Proxied) -> None:
    connection = await proxied.connect()
    await connection.execute("CREATE TABLE t (n int, text text)")
    rows = [(n, "x" * 100) for n in range(5_000)]
    await connection.copy_records_to_table("t", records=rows)
    assert await connection.fetchval("SELECT count(*) FROM t") == 5_000
    await connection.close()


async def test_a_cancel_request_reaches_the_server(proxied: Proxied) -> None:
    connection = await proxied.connect()
    with pytest.raises(TimeoutError):
        await connection.execute("SELECT pg_sleep(60)", timeout=0.2)
    assert await connection.fetchval("SELECT 'still here'") == "still here"
    await connection.close()


async def test_a_service_that_asks_for_encryption_is_told_no(proxied: Proxied) -> None:
    connection = await proxied.connect(ssl="prefer")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_client_that_is_gone_frees_its_locks(proxied: Proxied) -> None:
    one, other = await proxied.connect(), await proxied.connect()
    await one.execute("CREATE TABLE t (n int)")
    await one.execute("BEGIN; LOCK TABLE t")
    one.terminate()
    await asyncio.wait_for(other.fetch("SELECT * FROM t"), 10)
    await other.close()


async def test_many_sessions_at_once(proxied: Proxied) -> None:
    async def use(number: int) -> int:
        connection = await proxied.connect()
        try:
            return int(await connection.fetchval("SELECT $1::int", number))
        finally:
            await connection.close()

    assert await asyncio.gather(*(use(n) for n in range(40))) == list(range(40))
    assert proxied.endpoint.count.statements == 40
    assert proxied.endpoint.count.sessions == 40


@pytest.mark.parametrize(
    "nonsense",
    [
        struct.pack("!II", 3, 196608),
        struct.pack("!II", 0x7FFFFFFF, 196608),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_nonsense_ends_that_connection_only(proxied: Proxied, nonsense: bytes) -> None:
    good = await proxied.connect()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxied.endpoint.port)
    writer.write(nonsense)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert await good.fetchval("SELECT 1") == 1
    await good.close()


@pytest.mark.parametrize("length", [0, 3, 0x40000001, 0xFFFFFFFF])
async def test_an_absurd_frame_ends_that_connection_only(proxied: Proxied, length: int) -> None:
    good = await proxied.connect()
    startup = struct.pack("!I", 196608) + b"user\0x\0database\0x\0\0"
    reader, writer = await asyncio.open_connection("127.0.0.1", proxied.endpoint.port)
    writer.write(struct.pack("!I", len(startup) + 4) + startup)
    await reader.readexactly(1)
    writer.write(b"Q" + struct.pack("!I", length))
    await asyncio.wait_for(reader.read(), 10)
    assert reader.at_eof()
    writer.close()
    assert await good.fetchval("SELECT 1") == 1
    await good.close()


async def test_a_server_that_is_away_ends_the_connection() -> None:
    class Away:
        async def open(self, factory: object) -> Any:
            raise ConnectionRefusedError

    async with Endpoint(Away(), 0.0) as endpoint:
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await asyncpg.connect(host="127.0.0.1", port=endpoint.port, user="x", password="x")


FRAMES = st.lists(
    st.tuples(st.sampled_from(b"PBEQCDS"), st.binary(max_size=300)), min_size=1, max_size=30
)


@given(FRAMES, st.lists(st.integers(1, 50), min_size=1))
async def test_frames_are_the_same_however_the_bytes_are_cut(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    raw = b"".join(bytes([k]) + struct.pack("!I", len(p) + 4) + p for k, p in frames)
    reader = Frames(b"PBEQC")
    found: list[tuple[int, bytes]] = []
    at = number = 0
    while at < len(raw):
        size = cuts[number % len(cuts)]
        found += reader.feed(raw[at : at + size])
        at, number = at + size, number + 1
    assert found == [(k, p) for k, p in frames if k in b"PBEQC"]


@given(st.binary(max_size=2000))
async def test_any_bytes_are_frames_or_refused(raw: bytes) -> None:
    reader = Frames(b"PBEQC")
    try:
        reader.feed(raw)
    except ValueError:
        return
    assert len(reader._rest) <= len(raw)
