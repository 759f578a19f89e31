"""Which tables a request writes, seen from outside: by the row versions that it leaves and takes
away.

PostgreSQL's own counters (``pg_stat_user_tables``) lag behind by up to a second; row versions do
not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from checks.attachment import Testbed

#: The tables of a database that are a submission's own.
TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'assay_gate') AND n.nspname !~
  '^pg_toast' ORDER BY 1
"""

_ROWS = "SELECT count(*) FROM {table}"

_VERSIONS = """
SELECT count(*) FILTER (WHERE newer) AS newer, count(*) FILTER (WHERE NOT newer) AS older
FROM (SELECT (xmin::text::bigint - $1::bigint + 4294967296) % 4294967296 < 2147483648 AS newer
      FROM {table}) AS versions
"""

_NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint % 4294967296"


async def tables_written(testbed: Testbed, request: Callable[[], Awaitable[object]]) -> list[str]:
    """The tables that a request writes, by the row versions that it leaves and takes away.

    Nothing else may write meanwhile. A row that is only locked does not count.
    """
    async with testbed.observer() as observer:
        tables = [row[0] for row in await observer.fetch(TABLES)]
        before = {table: await observer.fetchval(_ROWS.format(table=table)) for table in tables}
        horizon = await observer.fetchval(_NEXT_XID)
        await request()
        written = []
        for table in tables:
            row = await observer.fetchrow(_VERSIONS.format(table=table), horizon)
            if row["newer"] or row["older"] != before[table]:
                written.append(table)
        return written
