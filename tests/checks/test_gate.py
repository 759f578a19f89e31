"""The table gate on real PostgreSQL: every racy debit is caught, and no correct one is rejected."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
import pytest_asyncio

from checks.attachment import Testbed
from checks.client import Answer
from checks.gate import Race, race
from checks.losers import follow_up
from checks.probes import Recorder, probe, recording
from checks.tables import tables_written
from checks.testbed.postgres import open_server

Connection = Any

SCHEMA = """
DROP TABLE IF EXISTS accounts, entries, audit CASCADE;
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, version int NOT NULL DEFAULT 1,
                       lower int NOT NULL DEFAULT -1000000, CHECK (balance >= lower));
CREATE TABLE entries (id int GENERATED ALWAYS AS IDENTITY, account int, amount int NOT NULL);
CREATE TABLE audit (id int GENERATED ALWAYS AS IDENTITY, note text);
INSERT INTO accounts VALUES (1, 100), (2, 100);
INSERT INTO entries (account, amount) VALUES (1, 100), (2, 100);
"""

BALANCE = "SELECT balance FROM accounts WHERE id = 1"
SUM = "SELECT sum(amount) FROM entries WHERE account = 1"
ENTRY = "INSERT INTO entries (account, amount) VALUES (1, $1)"

#: What a transfer takes from the 100 that there are: one fits.
AMOUNT = 60
RACERS = 3


class Refused(Exception):  # noqa: N818
    pass


@dataclass
class Bench:
    """As much of a testbed as the gate uses: two replicas, each with connections of its own."""

    dsn: str
    pools: list[Any]
    locks: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock(), asyncio.Lock()])
    replicas: range = field(default_factory=lambda: range(2))

    @asynccontextmanager
    async def observer(self) -> AsyncIterator[Connection]:
        connection = await asyncpg.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def read(self, replica: int) -> None:
        await self.pools[replica].fetchval(BALANCE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dsn() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="assay-gate-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's user has to get through
        async with open_server(folder / "postgres") as server:
            yield server.dsn()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(dsn: str) -> AsyncIterator[Bench]:
    pools = [await asyncpg.create_pool(dsn, min_size=1, max_size=4) for _ in range(2)]
    async with pools[0].acquire() as connection:
        await connection.execute(SCHEMA)
    yield Bench(dsn, pools)
    for pool in pools:
        await pool.close()


def answer(status: int, code: str = "x", retry_after: str = "0") -> Answer:
    headers = httpx.Headers({"Retry-After": retry_after} if status in {409, 503} else {})
    return Answer("POST /spend", status, headers, f'{{"code": "{code}"}}'.encode(), None, 0)


Debit = Callable[[Bench, Connection], Awaitable[None]]


async def spend(bench: Bench, debit: Debit, replica: int) -> Answer:
    """A request: one debit on one replica's connection."""
    async with bench.pools[replica].acquire() as connection:
        try:
            await debit(bench, cast(Connection, connection))
        except Refused:
            return answer(422, "insufficient_funds")
        except asyncpg.exceptions.LockNotAvailableError:
            return answer(503)
        except asyncpg.PostgresError:
            return answer(500)
        return answer(201)


async def _take(connection: Connection, statement: str = "") -> None:
    update = statement or "UPDATE accounts SET balance = balance - $1 WHERE id = 1"
    if await connection.execute(update, AMOUNT) == "UPDATE 0":
        raise Refused
    await connection.execute(ENTRY, -AMOUNT)


async def _check(connection: Connection, query: str = BALANCE) -> int:
    balance = await connection.fetchval(query)
    if balance < AMOUNT:
        raise Refused
    return int(balance)


# Wrong ------------------------------------------------------------------------------------------


async def check_then_debit(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await _check(connection)
        await _take(connection)


async def stale_balance_written_back(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        balance = await _check(connection)
        await connection.execute("UPDATE accounts SET balance = $1 WHERE id = 1", balance - AMOUNT)
        await connection.execute(ENTRY, -AMOUNT)


async def read_again_before_writing(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await _check(connection)
        await _check(connection)
        await _take(connection)


async def locked_after_the_check(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await _check(connection)
        await connection.fetch(f"{BALANCE} FOR UPDATE")
        await _take(connection)


async def no_rows_locked(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await connection.fetch("SELECT 1 FROM entries WHERE account = 99 FOR UPDATE")
        await _check(connection, SUM)
        await connection.execute(ENTRY, -AMOUNT)


async def locked_in_the_process(bench: Bench, connection: Connection) -> None:
    own = next(
        lock
        for lock, pool in zip(bench.locks, bench.pools, strict=True)
        if pool is getattr(connection, "_holder")._pool  # noqa: B009
    )
    async with own:
        await check_then_debit(bench, connection)


async def snapshot_of_inserts(bench: Bench, connection: Connection) -> None:
    async with connection.transaction(isolation="repeatable_read"):
        await _check(connection, SUM)
        await connection.execute(ENTRY, -AMOUNT)


async def advisory_lock_in_a_snapshot(bench: Bench, connection: Connection) -> None:
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("SELECT pg_advisory_xact_lock(7)")
        await _check(connection, SUM)
        await connection.execute(ENTRY, -AMOUNT)


async def written_before_the_check(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO audit (note) VALUES ('asked')")
        await _check(connection, SUM)
        await connection.execute(ENTRY, -AMOUNT)


async def checked_within_the_insert(bench: Bench, connection: Connection) -> None:
    done = await connection.execute(
        "INSERT INTO entries (account, amount) SELECT 1, -$1::int"
        " WHERE (SELECT sum(amount) FROM entries WHERE account = 1) >= $1",
        AMOUNT,
    )
    if done == "INSERT 0 0":
        raise Refused


async def updated_from_a_sum(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        update = "UPDATE accounts SET balance = balance - $1 WHERE id = 1"
        done = await connection.execute(
            f"{update} AND (SELECT sum(amount) FROM entries WHERE account = 1) >= $1", AMOUNT
        )
        if done == "UPDATE 0":
            raise Refused
        await connection.execute(ENTRY, -AMOUNT)


WRONG = [
    checked_within_the_insert,
    updated_from_a_sum,
    check_then_debit,
    stale_balance_written_back,
    read_again_before_writing,
    locked_after_the_check,
    no_rows_locked,
    locked_in_the_process,
    snapshot_of_inserts,
    advisory_lock_in_a_snapshot,
    written_before_the_check,
]

# Right ------------------------------------------------------------------------------------------


async def row_lock(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await _check(connection, f"{BALANCE} FOR UPDATE")
        await _take(connection)


async def conditional_update(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await _take(
            connection, "UPDATE accounts SET balance = balance - $1 WHERE id = 1 AND balance >= $1"
        )


async def _retried(bench: Bench, connection: Connection, isolation: str, query: str) -> None:
    for _ in range(20):
        try:
            async with connection.transaction(isolation=cast(Any, isolation)):
                await _check(connection, query)
                await _take(connection)
        except asyncpg.exceptions.SerializationError:
            continue
        return
    raise asyncpg.exceptions.LockNotAvailableError


async def serializable_retried(bench: Bench, connection: Connection) -> None:
    await _retried(bench, connection, "serializable", SUM)


async def repeatable_read_on_a_row(bench: Bench, connection: Connection) -> None:
    await _retried(bench, connection, "repeatable_read", BALANCE)


async def advisory_lock_before_reading(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7)")
        await _check(connection, SUM)
        await connection.execute(ENTRY, -AMOUNT)


async def version_column(bench: Bench, connection: Connection) -> None:
    row = await connection.fetchrow("SELECT balance, version FROM accounts WHERE id = 1")
    if row["balance"] < AMOUNT:
        raise Refused
    async with connection.transaction():
        update = "UPDATE accounts SET balance = balance - $1, version = version + 1"
        done = await connection.execute(
            f"{update} WHERE id = 1 AND version = $2", AMOUNT, row["version"]
        )
        if done == "UPDATE 0":
            raise asyncpg.exceptions.LockNotAvailableError
        await connection.execute(ENTRY, -AMOUNT)


async def constraint_mapped(bench: Bench, connection: Connection) -> None:
    try:
        async with connection.transaction():
            await _take(
                connection, "UPDATE accounts SET balance = balance - $1, lower = 0 WHERE id = 1"
            )
    except asyncpg.exceptions.CheckViolationError:
        raise Refused from None


async def lock_not_waited_for(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await _check(connection, f"{BALANCE} FOR UPDATE NOWAIT")
        await _take(connection)


async def lock_polled(bench: Bench, connection: Connection) -> None:
    """No one ever waits inside the database; whoever finds the lock taken asks again."""
    while True:
        async with connection.transaction():
            if await connection.fetchval("SELECT pg_try_advisory_xact_lock(8)"):
                await _check(connection)
                await _take(connection)
                return
        await asyncio.sleep(0.01)


async def whole_table_locked(bench: Bench, connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE")
        await _check(connection)
        await _take(connection)


RIGHT = [
    row_lock,
    conditional_update,
    serializable_retried,
    repeatable_read_on_a_row,
    advisory_lock_before_reading,
    version_column,
    constraint_mapped,
    lock_not_waited_for,
    lock_polled,
    whole_table_locked,
]


async def _contest(bench: Bench, debit: Debit) -> tuple[list[Race], list[int]]:
    """The debit at the gate of each table that it writes; gives the races and who won each."""
    testbed = cast(Testbed, bench)
    races, wins = [], []
    with recording(Recorder("tests/gate")):
        tables = await tables_written(testbed, partial(spend, bench, debit, 0))
        for table in tables:
            async with bench.pools[0].acquire() as connection:
                await connection.execute(SCHEMA)
            requests = [partial(spend, bench, debit, number % 2) for number in range(RACERS)]
            with probe(table):
                run = await race(testbed, table, requests, bench.read)
                settled = await follow_up(run.answers, requests)
            assert all(one.status in {201, 422} for one in settled), [str(one) for one in settled]
            races.append(run)
            wins.append(sum(one.ok for one in settled))
    return races, wins


@pytest.mark.parametrize("debit", WRONG, ids=lambda debit: debit.__name__)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_debit_spends_twice(bench: Bench, debit: Debit) -> None:
    races, wins = await _contest(bench, debit)
    assert max(wins) > 1
    assert any(run.driven for run in races)


@pytest.mark.parametrize("debit", RIGHT, ids=lambda debit: debit.__name__)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_right_debit_spends_once(bench: Bench, debit: Debit) -> None:
    races, wins = await _contest(bench, debit)
    assert wins == [1] * len(races)
    assert any(run.driven for run in races)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_schedule_names_who_waited_for_whom(bench: Bench) -> None:
    with recording(Recorder("tests/gate")) as recorder:
        requests = [partial(spend, bench, row_lock, number % 2) for number in range(2)]
        with probe("race"):
            run = await race(cast(Testbed, bench), "public.accounts", requests, bench.read)
    steps = [step.what for step in recorder.probes()[0].schedule]
    assert steps[0].startswith("holds public.accounts")
    assert "waits for the gate" in steps
    assert any(step.startswith("waits for session") for step in steps)
    assert run.held == 2
    assert not await bench.pools[0].fetchval("SELECT count(*) FROM pg_trigger")


WRITES = {
    "INSERT INTO audit (note) VALUES ('x')": ["public.audit"],
    "UPDATE accounts SET balance = balance": ["public.accounts"],
    "DELETE FROM entries WHERE account = 2": ["public.entries"],
    "SELECT 1 FROM accounts FOR UPDATE": [],
    "SELECT 1": [],
    "INSERT INTO entries (account, amount) VALUES (3, 1); DELETE FROM accounts WHERE id = 2": [
        "public.accounts",
        "public.entries",
    ],
}


@pytest.mark.parametrize(("statement", "tables"), WRITES.items())
@pytest.mark.asyncio(loop_scope="module")
async def test_tables_written(bench: Bench, statement: str, tables: list[str]) -> None:
    async def request() -> None:
        await bench.pools[0].execute(statement)

    assert await tables_written(cast(Testbed, bench), request) == tables


@pytest.mark.asyncio(loop_scope="module")
async def test_requests_that_do_not_write_there_are_not_driven(bench: Bench) -> None:
    async def only_reads(bench: Bench, connection: Connection) -> None:
        await _check(connection)

    with recording(Recorder("tests/gate")):
        requests = [partial(spend, bench, only_reads, 0)] * 2
        run = await race(cast(Testbed, bench), "public.accounts", requests, bench.read)
    assert (run.held, run.driven) == (0, False)
    assert [one.status for one in run.answers] == [201, 201]
