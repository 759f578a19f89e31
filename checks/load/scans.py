"""What the database does on behalf of a request without being sent a statement for it.

A loop moved into a function of the database sends one statement and still reads row by row. It
shows in ``pg_stat_user_functions`` (calls) and ``pg_stat_user_tables`` (scans begun). A join's
inner side is scanned row by row too, where the planner nests loops: so loops are planned otherwise
while this watches. A sub-select of the statement itself is none of a function's doing: so only
tables count that are named in the text of a function which ran (or all, if it builds statements).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from checks.attachment import Testbed
from checks.load.sessions import reconnect
from checks.testbed.backends import end_others

_FUNCTIONS = """
SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.prokind = 'f'
  AND p.prorettype <> 'trigger'::regtype
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""

_CALLS = """
SELECT f.schemaname || '.' || f.funcname AS name, f.calls AS times,
       p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '') AS text
FROM pg_stat_user_functions f JOIN pg_proc p ON p.oid = f.funcid
WHERE p.prorettype <> 'trigger'::regtype
"""

_SCANS = """
SELECT schemaname || '.' || relname AS name, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS times
FROM pg_stat_user_tables
"""

#: A string in SQL: what stands there names a table only to EXECUTE.
_LITERAL = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class Scans:
    """Scans begun of each table, and calls of each function that is not a trigger's.

    ``texts`` are the functions' bodies.
    """

    tables: dict[str, int] = field(default_factory=dict)
    functions: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def more_than(self, other: Scans) -> dict[str, int]:
        """By how much each table was scanned more that a function which ran may have scanned."""
        return {
            name: times - other.tables.get(name, 0)
            for name, times in self.tables.items()
            if self._within_functions(name.rpartition(".")[2])
        }

    def _within_functions(self, table: str) -> bool:
        named = re.compile(rf"\b({re.escape(table)}|EXECUTE)\b", re.IGNORECASE)
        bodies = (self.texts.get(function, "") for function in self.functions)
        return any(named.search(_LITERAL.sub("''", body)) for body in bodies)

    def since(self, before: Scans) -> Scans:
        """What came on top of an earlier reading."""
        functions = _gained(before.functions, self.functions)
        return Scans(_gained(before.tables, self.tables), functions, self.texts)

    def __str__(self) -> str:
        return f"{sum(self.functions.values())} calls, {sum(self.tables.values())} look-ups"


def _gained(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    gains = {name: times - before.get(name, 0) for name, times in after.items()}
    return {name: gain for name, gain in gains.items() if gain}


class Watched:
    """A database whose statistics are complete whenever they are read.

    A session hands its figures in when it ends; so its sessions are ended before each reading.
    """

    def __init__(self, testbed: Testbed, observer: asyncpg.Connection[Any]) -> None:
        self._testbed = testbed
        self._observer = observer

    async def during(self, read: Callable[[], Awaitable[None]]) -> Scans:
        """What these requests made the database do."""
        await reconnect(self._testbed, self._testbed.replicas)
        before = await self._reading()
        await reconnect(self._testbed, self._testbed.replicas)
        await read()
        return (await self._reading()).since(before)

    async def _reading(self) -> Scans:
        await end_others(self._observer)
        await self._observer.execute("SELECT pg_stat_clear_snapshot()")
        tables = {row["name"]: row["times"] for row in await self._observer.fetch(_SCANS)}
        called = await self._observer.fetch(_CALLS)
        calls = {row["name"]: row["times"] for row in called}
        return Scans(tables, calls, {row["name"]: row["text"] for row in called})


@asynccontextmanager
async def watched(testbed: Testbed) -> AsyncIterator[Watched | None]:
    """Watch a testbed's database; ``None`` if it has no functions to hide in."""
    async with testbed.observer() as observer:
        if not await observer.fetchval(_FUNCTIONS):
            yield None
            return
        name = await observer.fetchval("SELECT quote_ident(current_database())")
        for setting in ("track_functions = 'all'", "enable_nestloop = off"):
            await observer.execute(f"ALTER DATABASE {name} SET {setting}")
        testbed.spoiled = True
        await end_others(observer)
        yield Watched(testbed, observer)
