"""The statement gate stops what executes, in every form of the protocol, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from checks.testbed.databases import Database
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.sql.gate import Gate
from checks.testbed.sql.proxy import Endpoint
from tests.checks.testbed.sql.wire import FLUSH, SYNC, Wire, bind, execute, frame, parse, query, run

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Gated:
    """An endpoint whose gate the test keeps, and a look past it."""

    def __init__(self, endpoint: Endpoint, database: Database, past: Any) -> None:
        self.endpoint = endpoint
        self.database = database
        self.past = past
        self._changed = asyncio.Event()
        self.gate = Gate(self._changed.set)

    async def connect(self) -> Any:
        return await asyncpg.connect(self.database.url(self.endpoint.port))

    def wire(self) -> Wire:
        return Wire(self.database, self.endpoint.port)

    def close(self) -> Gate:
        self.gate = self.endpoint.put_up_gate(self._changed.set)
        return self.gate

    async def until(self, there: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not there():
                self._changed.clear()
                await self._changed.wait()

    async def step(self) -> str:
        """Wait for a statement at the gate, let it go, and give its shape once it is answered.

        Preparations pass.
        """
        await self.until(lambda: self.gate.waiting)
        while not (held := self.gate.waiting[0]).executes:
            held.release()
            await self.until(lambda: self.gate.waiting)
        done = len(self.gate.passed)
        held.release()
        await self.until(lambda: self.gate.passed[done].execution.rows is not None)
        return held.statement.shape

    async def count(self) -> int:
        return int(await self.past.fetchval("SELECT count(*) FROM t"))


@pytest_asyncio.fixture(loop_scope="session")
async def gated(host: Host) -> AsyncIterator[Gated]:
    database = await host.databases.template()
    past = await asyncpg.connect(host.server.dsn(database.name))
    await past.execute(f"CREATE TABLE t (n int); ALTER TABLE t OWNER TO {database.role}")
    began = asyncio.get_running_loop().time()
    async with Endpoint(DatabaseUpstream(host.server), began) as endpoint:
        yield Gated(endpoint, database, past)
        endpoint.take_down_gate()
    await past.close()
    await host.databases.drop(database)


async def test_a_statement_is_executed_when_it_is_let_go(gated: Gated) -> None:
    connection = await gated.connect()
    gated.close()
    inserting = asyncio.create_task(connection.execute("INSERT INTO t VALUES (1)"))
    await gated.until(lambda: gated.gate.waiting)
    assert await gated.count() == 0
    assert await gated.step() == "insert into t values (?)"
    assert await gated.count() == 1
    await inserting
    gated.endpoint.take_down_gate()
    assert await connection.fetchval("SELECT count(*) FROM t") == 1
    await connection.close()


async def test_a_preparation_is_stopped_before_it_takes_a_snapshot(gated: Gated) -> None:
    connection = await gated.connect()
    gated.close()

    async def work() -> list[int]:
        async with connection.transaction(isolation="repeatable_read"):
            return [row["n"] for row in await connection.fetch("SELECT n FROM t WHERE n > $1", 0)]

    working = asyncio.create_task(work())
    await gated.until(lambda: gated.gate.waiting)
    assert gated.gate.waiting[0].shape == "prepare select n from t where n > ?"
    await gated.past.execute("INSERT INTO t VALUES (5)")
    gated.gate.let_all_go()
    assert await working == [5]
    await connection.close()


async def test_commit_is_stopped_and_what_nobody_sees_is_not(gated: Gated) -> None:
    connection = await gated.connect()
    gated.close()

    async def work() -> None:
        async with connection.transaction(isolation="serializable"):
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.fetchval("SELECT version()")
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES ($1)", 7)

    working = asyncio.create_task(work())
    assert await gated.step() == "insert into t values (?)"
    await gated.until(lambda: gated.gate.waiting)
    assert await gated.count() == 0
    assert await gated.step() == "commit"
    await working
    assert await gated.count() == 1
    passed = [(one.statement.shape, one.stopped) for one in gated.gate.passed]
    assert passed == [
        ("begin isolation level serializable", False),
        ("set local statement_timeout = ?", False),
        ("select version()", False),
        (passed[3][0], False),
        ("insert into t values (?)", True),
        (passed[5][0], False),
        ("commit", True),
    ]
    assert passed[3][0].startswith("savepoint")
    assert passed[5][0].startswith("release")
    await connection.close()


async def test_a_pipeline_is_split_at_each_execution(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(run("INSERT INTO t VALUES (1)"), run("INSERT INTO t VALUES (2)"), SYNC)
        assert await gated.step() == "insert into t values (?)"
        assert await wire.until(b"C") == b"12C"
        await gated.until(lambda: gated.gate.waiting)
        assert await gated.count() == 0, "both are one transaction, up to the Sync"
        await gated.step()
        assert await wire.until(b"Z") == b"12CZ"
        assert await gated.count() == 2


async def test_a_pipeline_of_several_transactions_ends_each_in_turn(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(run("INSERT INTO t VALUES (1)"), SYNC, run("INSERT INTO t VALUES (2)"), SYNC)
        await gated.step()
        assert await wire.until(b"Z") == b"12CZ"
        assert await gated.count() == 1
        await gated.step()
        assert await wire.until(b"Z") == b"12CZ"
        assert await gated.count() == 2


async def test_an_error_in_a_pipeline_skips_what_is_not_executed(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(run("INSERT INTO t VALUES (1 / 0)"), run("INSERT INTO t VALUES (2)"), SYNC)
        await gated.until(lambda: gated.gate.waiting)
        gated.gate.waiting[0].release()
        assert await wire.until(b"Z") == b"1EZ"
        assert not gated.gate.waiting
        wire.send(run("INSERT INTO t VALUES (3)"), SYNC)
        await gated.step()
        assert await wire.until(b"Z") == b"12CZ"
        assert await gated.count() == 1


async def test_what_comes_late_in_a_failed_pipeline_is_not_stopped(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(run("INSERT INTO t VALUES (1 / 0)"), FLUSH)
        await gated.until(lambda: gated.gate.waiting)
        gated.gate.waiting[0].release()
        await wire.until(b"E")
        wire.send(run("INSERT INTO t VALUES (2)"), SYNC)
        assert await wire.until(b"Z") == b"Z"
        assert not gated.gate.waiting


async def test_several_statements_in_one_query_are_one_step(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(query("BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT"))
        await gated.until(lambda: gated.gate.waiting)
        assert await gated.count() == 0
        gated.gate.waiting[0].release()
        assert await wire.until(b"Z") == b"CCCCZ"
        assert await gated.count() == 2
        assert not gated.gate.waiting


async def test_a_portal_is_stopped_at_its_first_fetch_only(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(query("BEGIN"))
        await wire.until(b"Z")
        wire.send(parse("SELECT * FROM t, generate_series(1, 5)", "s"), FLUSH)
        await gated.until(lambda: gated.gate.waiting)
        gated.gate.waiting[0].release()
        assert await wire.until(b"1") == b"1"
        wire.send(bind("p", "s"), FLUSH)
        await gated.until(lambda: gated.gate.waiting)
        assert not gated.gate.waiting[0].executes
        gated.gate.waiting[0].release()
        assert await wire.until(b"2") == b"2"
        wire.send(execute("p", 2), FLUSH)
        await gated.until(lambda: gated.gate.waiting)
        gated.gate.waiting[0].release()
        await wire.until(b"C")
        wire.send(execute("p", 2), execute("p", 2), SYNC)
        await wire.until(b"Z")
        assert [one.stopped for one in gated.gate.passed] == [False, True, False, False]


async def test_a_description_between_is_kept_in_its_place(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        describe = frame(b"D", b"P\0")
        wire.send(parse("SELECT n FROM t"), bind(), describe, execute(), SYNC)
        await gated.until(lambda: gated.gate.waiting)
        gated.gate.waiting[0].release()
        assert await wire.until(b"Z") == b"12TCZ"


async def test_copying_in_is_one_step(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        wire.send(run("COPY t FROM STDIN"), SYNC)
        await gated.until(lambda: gated.gate.waiting)
        gated.gate.waiting[0].release()
        await wire.until(b"G")
        wire.send(frame(b"d", b"1\n2\n"), frame(b"d", b"3\n"), frame(b"c"), SYNC)
        assert await wire.until(b"Z") == b"CZ"
        assert await gated.count() == 3
        assert gated.endpoint.quiet


async def test_a_copy_by_a_driver_is_one_step(gated: Gated) -> None:
    connection = await gated.connect()
    gated.close()
    rows = [(number,) for number in range(20_000)]
    copying = asyncio.create_task(connection.copy_records_to_table("t", records=rows))
    assert (await gated.step()).startswith('copy "t"')
    await copying
    assert await gated.count() == 20_000
    await connection.close()


async def test_values_are_seen_while_a_gate_stands(gated: Gated) -> None:
    connection = await gated.connect()
    prepared = await connection.prepare("SELECT n, $1::text AS said FROM t")
    await gated.past.execute("INSERT INTO t VALUES (4)")
    gated.close()
    fetching = asyncio.create_task(prepared.fetch("good"))
    await gated.step()
    await fetching
    values = gated.gate.passed[-1].execution.values
    assert values is not None
    assert b"good" in values.bound
    assert b"said" in values.columns
    assert len(values.rows) == 1
    assert values.tag == b"SELECT 1\0"
    gated.endpoint.take_down_gate()
    await prepared.fetch("again")
    assert values.rows == values.rows[:1]
    await connection.close()


async def test_a_session_that_leaves_while_it_is_held_breaks_the_gate(gated: Gated) -> None:
    wire = gated.wire()
    async with wire:
        gated.close()
        wire.send(query("INSERT INTO t VALUES (1)"))
        await gated.until(lambda: gated.gate.waiting)
    await gated.until(lambda: gated.gate.broken)
    assert gated.gate.broken == "a session ended while its statement was held"
    assert not gated.gate.waiting


async def test_a_cancelled_statement_that_is_held_breaks_the_gate(gated: Gated) -> None:
    connection = await gated.connect()
    gated.close()
    inserting = asyncio.create_task(connection.execute("INSERT INTO t VALUES (1)", timeout=0.1))
    await gated.until(lambda: gated.gate.broken)
    assert gated.gate.broken == "the service cancelled a statement that was held"
    gated.gate.let_all_go()
    with pytest.raises(TimeoutError):
        await inserting
    connection.terminate()


async def test_large_frames_pass_whole(gated: Gated) -> None:
    connection = await gated.connect()
    await gated.past.execute("CREATE TABLE big (v text); GRANT ALL ON big TO PUBLIC")
    gated.close()
    value = "0123456789" * 300_000
    inserting = asyncio.create_task(connection.execute("INSERT INTO big VALUES ($1)", value))
    await gated.step()
    await inserting
    assert await gated.past.fetchval("SELECT v FROM big") == value
    await connection.close()


async def test_a_gate_is_taken_down_with_statements_before_it(gated: Gated) -> None:
    connections = [await gated.connect() for _ in range(5)]
    gated.close()
    tasks = [asyncio.create_task(one.execute("INSERT INTO t VALUES (1)")) for one in connections]
    await gated.until(lambda: len(gated.gate.waiting) == 5)
    assert not gated.endpoint.quiet
    gated.endpoint.take_down_gate()
    await asyncio.gather(*tasks)
    assert gated.endpoint.quiet
    assert await gated.count() == 5
    for one in connections:
        await one.close()


async def test_what_was_only_begun_is_sent_when_the_gate_is_taken_down(gated: Gated) -> None:
    async with gated.wire() as wire:
        gated.close()
        whole = execute() + SYNC
        wire.send(parse("SELECT 1"), bind(), whole[:3])
        await gated.until(lambda: not gated.endpoint.quiet)
        gated.endpoint.take_down_gate()
        wire.send(whole[3:])
        assert await wire.until(b"Z") == b"12DCZ"
