"""The explorer on real PostgreSQL: every wrong debit is caught, and no correct one is rejected."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from checks.again import Driven
from checks.client import Answer
from checks.contest import Contest, View
from checks.explorer import Figures, explore
from checks.judging import Judge
from checks.probes import Recorder, recording
from checks.testbed.driving.schedule import Schedule
from checks.testbed.driving.stage import Stage
from checks.testbed.driving.threads import Process
from checks.testbed.host import DatabaseUpstream
from checks.testbed.postgres import Server, open_server
from checks.testbed.sql.proxy import Endpoint
from checks.verdicts import Inconclusive, Vulnerable
from tests.checks.debits import (
    RIGHT,
    SCHEMA,
    WRONG,
    Debit,
    check_then_debit,
    checked_within_the_insert,
    row_lock,
    spend,
    updated_from_a_sum,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A statement that checks and writes at once is a single step; the table gate is for these.
ONE_STEP = [checked_within_the_insert, updated_from_a_sum]


@dataclass
class Bench:
    """As much of a testbed as exploring takes: two replicas, each behind an endpoint."""

    server: Server
    pools: list[Any]
    driving: Stage
    replicas: range = field(default_factory=lambda: range(2))
    locks: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock(), asyncio.Lock()])
    recorder: Recorder = field(default_factory=lambda: Recorder("concurrency/x"))

    @asynccontextmanager
    async def observer(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.server.dsn())
        try:
            yield connection
        finally:
            await connection.close()

    async def explore(self, debit: Debit, again: str = "", *, alike: bool = False) -> Figures:
        self.recorder = Recorder("concurrency/x", again=again)
        past = await asyncpg.connect(self.server.dsn())

        async def prepare(count: int) -> Contest:
            async def send(replica: int) -> Answer:
                return await spend(cast(Any, self), debit, replica)

            async def view() -> View:
                spent = await past.fetchval("SELECT count(*) FROM entries WHERE amount < 0")
                await past.execute(SCHEMA)
                return {"spent": spent}

            def verify(_: Sequence[Answer], shown: View) -> None:
                if shown["spent"] > 1:
                    raise Vulnerable(f"{shown['spent']} debits of what there was once.", "")

            async def nothing(*_: object) -> None:
                return

            return Contest([send] * count, view, verify, nothing, nothing, alike)

        try:
            with recording(self.recorder):
                await past.execute(SCHEMA)
                return await explore(self, prepare, "debit", Judge("hint"))
        finally:
            await past.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="assay-explorer-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's user has to get through
        async with open_server(folder / "postgres") as server:
            began, up = asyncio.get_running_loop().time(), DatabaseUpstream(server)
            async with Endpoint(up, began) as one, Endpoint(up, began) as two:
                pools = [
                    await asyncpg.create_pool(
                        host="127.0.0.1",
                        port=each.port,
                        user=server.user,
                        password=server.password,
                        database=server.database,
                        min_size=1,
                        max_size=4,
                    )
                    for each in (one, two)
                ]
                stage = Stage(server.dsn(), {0: Process(one), 1: Process(two)}, began)
                yield Bench(server, pools, stage)
                await stage.close()
                for pool in pools:
                    pool.terminate()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checks.testbed.driving.driver.UNKNOWN", 0.05)


@pytest.mark.parametrize(
    "debit", [one for one in WRONG if one not in ONE_STEP], ids=lambda debit: debit.__name__
)
async def test_a_wrong_debit_is_caught_with_its_interleaving(bench: Bench, debit: Debit) -> None:
    with pytest.raises(Vulnerable, match="2 debits of what there was once"):
        await bench.explore(debit)
    (decisive,) = [probe for probe in bench.recorder.probes() if probe.decisive]
    assert {step.lane for step in decisive.schedule} == {"request 1", "request 2"}


@pytest.mark.parametrize("debit", RIGHT, ids=lambda debit: debit.__name__)
async def test_a_right_debit_passes_every_schedule(bench: Bench, debit: Debit) -> None:
    figures = await bench.explore(debit)
    assert figures.driven > 0
    assert figures.run <= figures.exist


async def test_a_statement_that_looks_and_writes_is_said_to_be_opaque(bench: Bench) -> None:
    async def locked_and_inserted(bench: Any, connection: Any) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE")
            await checked_within_the_insert(bench, connection)

    assert (await bench.explore(locked_and_inserted)).opaque
    alone = await bench.explore(checked_within_the_insert)
    assert (alone.exist, alone.opaque) == (0, True)
    assert not (await bench.explore(row_lock)).opaque


@pytest.mark.parametrize(
    ("function", "opaque"),
    [
        ("RETURNS int LANGUAGE sql AS 'SELECT 1'", True),
        ("RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN 1; END'", True),
        ("RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fixed''; END'", False),
    ],
)
async def test_a_function_that_looks_at_tables_makes_all_opaque(
    bench: Bench, function: str, opaque: bool
) -> None:
    async with bench.observer() as past:
        await past.execute(f"CREATE FUNCTION own() {function}")
        try:
            assert (await bench.explore(row_lock)).opaque is opaque
        finally:
            await past.execute("DROP FUNCTION own()")


async def test_what_was_explored_is_counted(bench: Bench) -> None:
    figures = await bench.explore(row_lock)
    # Four steps each; whoever comes second waits at its first, so that no pair can be driven.
    assert (figures.exist, figures.run, figures.driven) == (6, 6, 6)
    assert len(figures.courses) == 6
    assert figures.contended == {"accounts"}
    (summary,) = bench.recorder.probes()
    assert summary.title == "debit: all interleavings"
    assert summary.notes == (str(figures),)


async def test_a_mirror_image_is_left_out(bench: Bench) -> None:
    figures = await bench.explore(row_lock, alike=True)
    assert (figures.exist, figures.run, figures.driven) == (3, 3, 3)
    with pytest.raises(Vulnerable):
        await bench.explore(check_then_debit, alike=True)


async def test_the_decisive_interleaving_is_told(bench: Bench) -> None:
    with pytest.raises(Vulnerable):
        await bench.explore(check_then_debit)
    (decisive,) = bench.recorder.probes()
    assert decisive.title == "debit: request 1 stopped before update accounts"
    told = [(step.lane[-1], step.what, step.sql) for step in decisive.schedule]
    update = "UPDATE accounts SET balance = balance - 60 WHERE id = 1"
    entry = "INSERT INTO entries (account, amount) VALUES (1, -60)"
    look = "SELECT balance FROM accounts WHERE id = 1"
    assert told == [
        ("1", "finds balance = 100", look),
        ("2", "goes on, while the other is held", None),
        ("2", "finds balance = 100", look),
        ("2", "changes 1 row", update),
        ("2", "adds 1 row", entry),
        ("2", "commits", "COMMIT;"),
        ("2", "answered 201 x", None),
        ("1", "changes 1 row", update),
        ("1", "adds 1 row", entry),
        ("1", "commits", "COMMIT;"),
        ("1", "answered 201 x", None),
    ]


async def test_the_decisive_schedule_is_driven_again_alone(bench: Bench) -> None:
    with pytest.raises(Vulnerable):
        await bench.explore(check_then_debit)
    (first,) = bench.recorder.probes()
    with pytest.raises(Vulnerable):
        await bench.explore(check_then_debit, again=first.drive)
    (second,) = bench.recorder.probes()
    assert (second.title, second.drive) == (first.title, first.drive)
    assert [step.what for step in second.schedule] == [step.what for step in first.schedule]
    # A sound service takes the same step, and passes; another takes none like it.
    assert (await bench.explore(row_lock, again=first.drive)).run == 1
    with pytest.raises(Inconclusive, match="no longer fits: a step at which to switch did not"):
        await bench.explore(updated_from_a_sum, again=first.drive)


async def test_another_contests_schedule_is_passed_over(bench: Bench) -> None:
    drive = Driven(what="transfer", schedule=Schedule()).model_dump_json()
    assert (await bench.explore(check_then_debit, again=drive)).run == 0


async def test_a_transaction_that_is_always_open_is_set_aside(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checks.testbed.driving.driver._REST", 0.05)
    async with bench.pools[0].acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT 1")
        assert (await bench.explore(row_lock)).driven == 6
        with pytest.raises(Vulnerable):
            await bench.explore(check_then_debit)


async def test_a_lock_that_is_never_let_go_is_inconclusive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checks.testbed.driving.driver._REST", 0.05)
    monkeypatch.setattr("checks.testbed.driving.driver.STUCK", 0.5)
    monkeypatch.setattr("checks.testbed.driving.driver.LIMIT", 3.0)
    connection = await asyncpg.connect(bench.server.dsn())

    async def locked_out(bench: Any, connection: Any) -> None:
        await connection.execute("SELECT pg_advisory_xact_lock(99)")

    await connection.execute("SELECT pg_advisory_lock(99)")
    with pytest.raises(Inconclusive, match=r"Nothing moved .* still under way: request 1"):
        await bench.explore(locked_out)
    await connection.close()
