"""Debits of one account, wrong and right, as a service would do them: what races are tried on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import asyncpg
from multidict import CIMultiDict

from checks.client import Answer

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


class Refused(Exception):  # noqa: N818
    pass


class Bench(Protocol):
    """Two replicas, each with connections and a lock of its own."""

    pools: list[Any]
    locks: list[asyncio.Lock]


def answer(status: int, code: str = "x", retry_after: str = "0") -> Answer:
    headers = CIMultiDict({"Retry-After": retry_after} if status in {409, 503} else {})
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
