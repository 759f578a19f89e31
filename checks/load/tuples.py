"""How many rows the database reads for a request: the meter's part for what grows with tables.

    async with reading(testbed, replica) as reader:
        figures = await reader.during(request)

PostgreSQL counts the rows that it reads, table by table, whether by a scan of the table or by an
index (``pg_stat_user_tables``, ``pg_stat_user_indexes``; a lossy index gives few entries and has
many rows fetched). While this watches, the planner is told
that reading a table from end to end, and to join by reading both sides whole, are dear, and that
pages cost nothing: so it takes the way that reads the fewest rows, where there is one. In small
tables it would often rather read all; what it reads here, it reads in large ones too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from checks.attachment import Testbed
from checks.load.sessions import reconnect
from checks.testbed.backends import end_others

#: No way of reading is forbidden by these, each is dear where there is another.
_PLANNER = (
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "enable_material = off",
    "seq_page_cost = 0",
    "random_page_cost = 0",
    "jit = off",
    "plan_cache_mode = force_custom_plan",
)

_READ = """
SELECT t.schemaname || '.' || t.relname AS name,
       coalesce(t.seq_tup_read, 0)
       + greatest(coalesce(t.idx_tup_fetch, 0), coalesce(sum(i.idx_tup_read), 0))::bigint AS rows
FROM pg_stat_user_tables t LEFT JOIN pg_stat_user_indexes i ON i.relid = t.relid
GROUP BY t.relid, t.schemaname, t.relname, t.seq_tup_read, t.idx_tup_fetch
"""


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows read of each table."""

    tables: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All together."""
        return sum(self.tables.values())

    def since(self, before: RowsRead) -> RowsRead:
        """What came on top of an earlier reading."""
        gains = {name: rows - before.tables.get(name, 0) for name, rows in self.tables.items()}
        return RowsRead({name: gain for name, gain in gains.items() if gain})

    def __str__(self) -> str:
        most = sorted(self.tables.items(), key=lambda one: -one[1])[:4]
        return ", ".join(f"{rows} of {name.rpartition('.')[2]}" for name, rows in most) or "none"


class Reader:
    """Reads the figures; made by ``reading``. Nothing else may use the testbed meanwhile."""

    def __init__(self, testbed: Testbed, observer: asyncpg.Connection[Any], replica: int) -> None:
        self._testbed = testbed
        self._observer = observer
        self._replica = replica

    async def tidy(self) -> None:
        """Leave nothing that is dead in tables and indexes, and tell the planner what there is."""
        await self._observer.execute("VACUUM (ANALYZE, INDEX_CLEANUP ON)")

    async def during(self, request: Callable[[], Awaitable[object]]) -> RowsRead:
        """What is read for a request to the replica.

        A session hands in what it has counted when it ends: so all are ended before, and after.
        """
        await end_others(self._observer)
        await reconnect(self._testbed, [self._replica])
        before = await self._read()
        await request()
        await end_others(self._observer)
        return (await self._read()).since(before)

    async def _read(self) -> RowsRead:
        await self._observer.execute("SELECT pg_stat_clear_snapshot()")
        return RowsRead({row["name"]: row["rows"] for row in await self._observer.fetch(_READ)})


@asynccontextmanager
async def reading(testbed: Testbed, replica: int) -> AsyncIterator[Reader]:
    """Have the planner read as few rows as it can; the testbed is no other check's afterwards."""
    async with testbed.observer() as observer:
        name = await observer.fetchval("SELECT quote_ident(current_database())")
        for setting in _PLANNER:
            await observer.execute(f"ALTER DATABASE {name} SET {setting}")
        testbed.spoiled = True
        await end_others(observer)
        yield Reader(testbed, observer, replica)
