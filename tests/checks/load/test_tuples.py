"""Rows read are counted exactly, by tables; a small table with an index is read through it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from checks.attachment import Testbed
from checks.load.tuples import Reader, RowsRead, reading
from checks.testbed.postgres import open_server

#: One merchant's few notes among another's many, an index for them, and none for the others.
TABLES = """
CREATE TABLE {0} (id int PRIMARY KEY, merchant text NOT NULL, made int NOT NULL);
INSERT INTO {0} SELECT n, CASE WHEN n % 50 = 0 THEN 'own' ELSE 'other' END, n
FROM generate_series(1, 200) AS n;
"""


@dataclass
class Connections:
    """Answers every request for readiness by making the service's one connection anew."""

    dsn: str
    open: list[Any] = field(default_factory=list)

    async def send(self, *_: object) -> Any:
        @dataclass
        class Ready:
            status: int = 200

        async with self._room:
            if not self.open or self.open[-1].is_closed():
                self.open.append(await asyncpg.connect(self.dsn))
        return Ready()

    def __post_init__(self) -> None:
        self._room = asyncio.Lock()


@dataclass
class Bench:
    """As much of a testbed as reading uses."""

    dsn: str
    connections: Connections
    lease: Any
    spoiled: bool = False

    @asynccontextmanager
    async def observer(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def ask(self, sql: str) -> None:
        await self.connections.open[-1].fetch(sql)


@dataclass
class Lease:
    replicas: tuple[str, ...] = ("http://nowhere",)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[tuple[Bench, Reader]]:
    with tempfile.TemporaryDirectory(prefix="assay-tuples-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's user has to get through
        async with open_server(folder / "postgres") as server:
            made = Bench(server.dsn(), Connections(server.dsn()), Lease())
            async with made.observer() as observer:
                await observer.execute(TABLES.format("indexed"))
                await observer.execute(TABLES.format("bare"))
                await observer.execute("CREATE INDEX ON indexed (merchant, made)")
            async with reading(cast(Testbed, cast(Any, made)), 0) as reader:
                await reader.tidy()
                yield made, reader


async def test_what_an_index_serves_is_read_through_it(bench: tuple[Bench, Reader]) -> None:
    made, reader = bench
    page = "SELECT * FROM {} WHERE merchant = 'own' ORDER BY made DESC LIMIT 100"
    through = await reader.during(lambda: made.ask(page.format("indexed")))
    assert through.tables == {"public.indexed": 4}
    whole = await reader.during(lambda: made.ask(page.format("bare")))
    assert whole.tables == {"public.bare": 200}
    assert made.spoiled


async def test_a_join_looks_up_what_it_needs(bench: tuple[Bench, Reader]) -> None:
    made, reader = bench
    join = "SELECT * FROM indexed i JOIN bare b ON b.id = i.id WHERE i.merchant = 'own'"
    assert (await reader.during(lambda: made.ask(join))).rows == 8


def test_what_came_on_top() -> None:
    before, after = RowsRead({"a": 5, "b": 1}), RowsRead({"a": 9, "b": 1, "c": 2})
    assert after.since(before) == RowsRead({"a": 4, "c": 2})
    assert str(RowsRead({"public.a": 4, "public.c": 20})) == "20 of c, 4 of a"


@pytest.mark.parametrize("rows", [{}, {"public.a": 3}])
def test_all_together(rows: dict[str, int]) -> None:
    assert RowsRead(rows).rows == sum(rows.values())
