"""The table gate on real PostgreSQL: every racy debit is caught, and no correct one is rejected."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from checks.attachment import Testbed
from checks.gate import Race, race
from checks.losers import follow_up
from checks.probes import Recorder, probe, recording
from checks.tables import tables_written
from checks.testbed.postgres import open_server
from tests.checks.debits import BALANCE, RIGHT, SCHEMA, WRONG, Connection, Debit, row_lock, spend

RACERS = 3


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
    async def only_reads(_: object, connection: Connection) -> None:
        await connection.fetchval(BALANCE)

    with recording(Recorder("tests/gate")):
        requests = [partial(spend, bench, only_reads, 0)] * 2
        run = await race(cast(Testbed, bench), "public.accounts", requests, bench.read)
    assert (run.held, run.driven) == (0, False)
    assert [one.status for one in run.answers] == [201, 201]
