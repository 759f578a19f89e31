"""Which tables a request writes, seen from outside: by the row versions that it leaves and takes
away.

PostgreSQL's own counters (``pg_stat_user_tables``) lag behind by up to a second; row versions do
not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from checks.ground import Ground

#: The tables of a database that are a submission's own.
TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'assay_gate') AND n.nspname !~
  '^pg_toast' ORDER BY 1
"""

#: Whether the submission has put code of its own into the database that looks at tables or writes
#: them: functions (so triggers, and constraints that call them), or rules. What belongs to an
#: extension is not its own; a function that only refuses, as one that guards a ledger, looks at
#: nothing.
_FUNCTIONS = r"""
SELECT EXISTS (
    SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'assay_gate')
      AND (l.lanname <> 'plpgsql'
           OR p.prosrc ~* '\m(select|perform|insert|update|delete|merge|execute|call|from)\M')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
) OR EXISTS (
    SELECT FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
)
"""

_ROWS = "SELECT count(*) FROM {table}"

_VERSIONS = """
SELECT count(*) FILTER (WHERE newer) AS newer, count(*) FILTER (WHERE NOT newer) AS older
FROM (SELECT (xmin::text::bigint - $1::bigint + 4294967296) % 4294967296 < 2147483648 AS newer
      FROM {table}) AS versions
"""

_NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint % 4294967296"


async def tables_written(ground: Ground, request: Callable[[], Awaitable[object]]) -> list[str]:
    """The tables that a request writes, by the row versions that it leaves and takes away.

    Nothing else may write meanwhile. A row that is only locked does not count.
    """
    async with ground.observer() as observer:
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


async def has_functions(ground: Ground) -> bool:
    """Whether statements may do more in the database than they say."""
    async with ground.observer() as observer:
        return bool(await observer.fetchval(_FUNCTIONS))


def bare(table: str) -> str:
    """A table's name without schema and quotes, in lower case."""
    return table.rpartition(".")[2].strip('"').lower()
