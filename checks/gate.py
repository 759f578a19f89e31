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
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

from checks.client import Answer
from checks.ground import Ground
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

_SESSIONS = """
SELECT pid, state, pg_blocking_pids(pid) AS blockers, left(query, 200) AS query,
       backend_start::text AS since
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL($1::int[])
"""


#: Statements are stopped a second time at their first row, by when they have their snapshot: one
#: that checks and writes at once (INSERT ... SELECT ... WHERE ...) reads before it is held there.
_TRIGGER = """
CREATE SCHEMA IF NOT EXISTS assay_gate;
CREATE OR REPLACE FUNCTION assay_gate.hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared({key});
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER zzz_gate BEFORE INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION assay_gate.hold();
"""


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


class _Door:
    """The gate of one table: first before each write statement, then at each row inside it."""

    def __init__(self, table: str, gate: asyncpg.Connection[Any]) -> None:
        self._table = table
        self._gate = gate
        self._key = secrets.randbits(62)
        self._transaction = gate.transaction()

    async def close(self) -> None:
        """Stop every write to the table, and prepare to stop it again at its first row.

        The trigger becomes visible to others when the table is let go: both are one transaction.
        """
        await self._gate.execute(f"SELECT pg_advisory_lock({self._key})")
        await self._transaction.start()
        await self._gate.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        await self._gate.execute(f"LOCK TABLE {self._table} IN SHARE ROW EXCLUSIVE MODE")
        await self._gate.execute(_TRIGGER.format(table=self._table, key=self._key))

    async def narrow(self) -> None:
        """Let the statements begin, with the snapshots they take, and stop them at a row."""
        await self._transaction.commit()

    async def open(self) -> None:
        """Let go."""
        await self._gate.execute("SELECT pg_advisory_unlock_all()")

    async def remove(self) -> None:
        """Leave the table as it was; if someone keeps it busy, with a trigger that stops nobody."""
        if self._gate.is_in_transaction():
            await self._transaction.rollback()
        await self.open()
        with suppress(asyncpg.exceptions.LockNotAvailableError):
            await self._gate.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
            await self._gate.execute("DROP SCHEMA IF EXISTS assay_gate CASCADE")


@asynccontextmanager
async def _closed(ground: Ground, table: str) -> AsyncIterator[tuple[_Door, _Sessions]]:
    """The gate, closed, and the sessions before it."""
    async with ground.observer() as gate, ground.observer() as watcher:
        door = _Door(table, gate)
        try:
            await door.close()
            yield door, _Sessions(watcher, gate)
        finally:
            await door.remove()


async def race(
    ground: Ground,
    table: str,
    requests: Sequence[Callable[[], Awaitable[Answer]]],
    read: Callable[[int], Awaitable[object]],
) -> Race:
    """Send the requests against the closed gate of a table, let them line up, and open it.

    They line up twice: before the statement that writes, and inside it, at its first row, when it
    has read whatever it reads. ``read`` reads something through the replica of that number; it
    shows that a replica still works while its requests wait.
    """
    attempt = current()[1]
    tasks: list[asyncio.Task[Answer]] = []
    try:
        async with _closed(ground, table) as (door, sessions):
            attempt.step("gate", f"holds {table}: reads pass, writes wait")
            for number, request in enumerate(requests, 1):
                attempt.step(f"request {number}", "sent")
                tasks.append(asyncio.create_task(_answered(request, number)))
            settled = await _line_up(ground, sessions, tasks, read)
            held = len(sessions.waiting)
            attempt.step("gate", f"{_counted(sessions, tasks)}; lets them begin to write")
            await door.narrow()
            await _line_up(ground, sessions, tasks, read)
            attempt.step("gate", f"{_counted(sessions, tasks)}; opens")
            await door.open()
            answers = tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
    driven = held > 1 or (held == 1 and settled)
    if not driven:
        attempt.note(f"At {table} the requests did not line up.")
    return Race(table, answers, held, driven)


def _counted(sessions: _Sessions, tasks: list[asyncio.Task[Answer]]) -> str:
    answered = sum(task.done() for task in tasks)
    return f"{len(sessions.waiting)} held, {answered} answered of {len(tasks)}"


async def _answered(request: Callable[[], Awaitable[Answer]], number: int) -> Answer:
    answer = await request()
    code = f" {answer.code}" if answer.code else ""
    current()[1].step(f"request {number}", f"answered {answer.status}{code}")
    return answer


async def _line_up(
    ground: Ground,
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
                    await asyncio.gather(*(read(replica) for replica in ground.replicas))
                else:
                    await asyncio.sleep(_INTERVAL)
    except TimeoutError:
        return False
