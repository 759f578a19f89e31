"""The table gate: lines requests up at their writes, so that a race that exists is run every time.

The harness holds one table in a lock mode that lets every read through, ``SELECT ... FOR UPDATE``
too, and stops every write (SHARE ROW EXCLUSIVE against ROW EXCLUSIVE). Requests sent meanwhile all
come as far as their first write to that table, each with what it has read by then; or they wait
for one of their own kind that is there already, which is how a correct service keeps them apart.
When each is blocked or answered, by the word of ``pg_blocking_pids``, the gate opens. One table at
a time: a gate on all at once would hide a service that writes before it checks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from checks.attachment import Testbed
from checks.client import Answer
from checks.probes import current

#: Seconds within which requests must have lined up; a bound, never what decides.
LINE_UP = 8.0

#: Rounds of reads through every replica, during which nothing moved, after which requests that are
#: neither blocked nor answered count as waiting inside the service (for a lock of the process,
#: say).
_QUIET_ROUNDS = 12

#: Seconds between two looks at the lock manager.
_INTERVAL = 0.005

#: Seconds to wait for the gate's own lock: only autovacuum could be in its way.
_LOCK_TIMEOUT = "5s"

#: The tables of a database that are a submission's own.
TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
ORDER BY 1
"""

_ROWS = "SELECT count(*) FROM {table}"

_VERSIONS = """
SELECT count(*) FILTER (WHERE newer) AS newer, count(*) FILTER (WHERE NOT newer) AS older
FROM (SELECT (xmin::text::bigint - $1::bigint + 4294967296) % 4294967296 < 2147483648 AS newer
      FROM {table}) AS versions
"""

_NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint % 4294967296"

_SESSIONS = """
SELECT pid, state, pg_blocking_pids(pid) AS blockers, left(query, 200) AS query,
       backend_start::text AS since
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL($1::int[])
"""


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


@dataclass(frozen=True, slots=True)
class Race:
    """How a race went. ``held`` requests were stopped at the gate, or behind one that was.

    ``answers`` are in the order of the requests. ``driven`` is false where they did not line up.
    """

    table: str
    answers: tuple[Answer, ...]
    held: int
    driven: bool


class _Sessions:
    """The submission's sessions, as the lock manager sees them."""

    def __init__(self, watcher: asyncpg.Connection[Any], gate: asyncpg.Connection[Any]) -> None:
        self._watcher = watcher
        self._gate = gate.get_server_pid()
        self._own = [self._gate, watcher.get_server_pid()]
        self.waiting: dict[int, str] = {}
        self.running = 0

    async def look(self) -> None:
        """Find out which sessions wait for the gate, directly or behind another."""
        rows = await self._watcher.fetch(_SESSIONS, self._own)
        blockers = {row["pid"]: set(row["blockers"]) for row in rows}
        behind = {self._gate}
        while more := {pid for pid, of in blockers.items() if of & behind} - behind:
            behind |= more
        attempt = current()[1]
        waiting = {row["pid"]: row["query"] for row in rows if row["pid"] in behind}
        for pid, query in waiting.items():
            if self.waiting.get(pid) != query:
                at = "the gate" if self._gate in blockers[pid] else f"session {min(blockers[pid])}"
                attempt.step(f"session {pid}", f"waits for {at}", query)
        self.waiting = waiting
        self.running = sum(row["state"] == "active" and row["pid"] not in behind for row in rows)


@asynccontextmanager
async def _closed(testbed: Testbed, table: str) -> AsyncIterator[tuple[Any, Any]]:
    """The gate, closed; gives its connection and another to watch with."""
    async with testbed.observer() as gate, testbed.observer() as watcher:
        transaction = gate.transaction()
        await transaction.start()
        try:
            await gate.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await gate.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            yield gate, watcher
        finally:
            await transaction.rollback()


async def race(
    testbed: Testbed,
    table: str,
    requests: Sequence[Callable[[], Awaitable[Answer]]],
    read: Callable[[int], Awaitable[object]],
) -> Race:
    """Send the requests against the closed gate of a table, let them line up, and open it.

    ``read`` reads something through the replica of that number; it shows that a replica still works
    while its requests wait.
    """
    attempt = current()[1]
    tasks: list[asyncio.Task[Answer]] = []
    try:
        async with _closed(testbed, table) as (gate, watcher):
            attempt.step("gate", f"holds {table}: reads pass, writes wait")
            for number, request in enumerate(requests, 1):
                attempt.step(f"request {number}", "sent")
                tasks.append(asyncio.create_task(_answered(request, number)))
            sessions = _Sessions(watcher, gate)
            settled = await _line_up(testbed, sessions, tasks, read)
            held, answered = len(sessions.waiting), sum(task.done() for task in tasks)
            attempt.step("gate", f"opens: {held} held, {answered} answered of {len(tasks)}")
        answers = tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
    driven = held > 1 or (held == 1 and settled)
    if not driven:
        attempt.note(f"At {table} the requests did not line up.")
    return Race(table, answers, held, driven)


async def _answered(request: Callable[[], Awaitable[Answer]], number: int) -> Answer:
    answer = await request()
    code = f" {answer.code}" if answer.code else ""
    current()[1].step(f"request {number}", f"answered {answer.status}{code}")
    return answer


async def _line_up(
    testbed: Testbed,
    sessions: _Sessions,
    tasks: list[asyncio.Task[Answer]],
    read: Callable[[int], Awaitable[object]],
) -> bool:
    """Wait until every request is blocked or answered, or nothing moves any more.

    Gives whether that came about. Nothing moves when several rounds of reads went through every
    replica while no session ran a statement, joined the queue or left it, and no request ended.
    """
    quiet, last = 0, (-1, -1)
    try:
        async with asyncio.timeout(LINE_UP):
            while True:
                await sessions.look()
                answered = sum(task.done() for task in tasks)
                if len(sessions.waiting) + answered >= len(tasks):
                    return True
                state = (len(sessions.waiting), answered)
                still = state == last and state[0] > 0 and not sessions.running
                quiet, last = (quiet + 1 if still else 0), state
                if quiet >= _QUIET_ROUNDS:
                    return True
                if still:
                    await asyncio.gather(*(read(replica) for replica in testbed.replicas))
                else:
                    await asyncio.sleep(_INTERVAL)
    except TimeoutError:
        return False
