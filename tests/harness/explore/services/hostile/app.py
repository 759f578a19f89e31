"""A wallet with bad manners: HABIT names one, VARIANT how its balance is kept right."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI

URL = os.environ["DATABASE_URL"]
HABIT = os.environ["HABIT"]
LOCK = "" if os.environ["VARIANT"] == "racy" else " FOR UPDATE"

#: Settings of the service's own sessions.
SETTINGS = {
    "lock_timeout": {"lock_timeout": "1ms"},
    "statement_timeout": {"statement_timeout": "200ms"},
    "idle_timeout": {"idle_in_transaction_session_timeout": "200ms"},
}
held: list[Any] = []


async def hold_a_transaction() -> None:
    connection = await asyncpg.connect(URL)
    held.append(connection)
    await connection.execute("BEGIN")
    await connection.execute("SELECT count(*) FROM wallets")


async def open_many() -> None:
    held.extend([await asyncpg.connect(URL) for _ in range(40 // 2)])


async def reconnect_for_ever() -> None:
    async def again() -> None:
        while True:
            connection = await asyncpg.connect(URL)
            await connection.execute("SELECT 1 FROM wallets LIMIT 1")
            await connection.close()

    held.append(asyncio.create_task(again()))


async def listen() -> None:
    connection = await asyncpg.connect(URL)
    held.append(connection)
    await connection.add_listener("changes", lambda *_: None)


async def ask_for_ever() -> None:
    async def again() -> None:
        connection = await asyncpg.connect(URL)
        while True:
            await connection.fetchval("SELECT count(*) FROM wallets")
            await asyncio.sleep(0.01)

    held.append(asyncio.create_task(again()))


BEFORE = {
    "open_transaction": hold_a_transaction,
    "many_connections": open_many,
    "reconnects": reconnect_for_ever,
    "listens": listen,
    "asks": ask_for_ever,
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = SETTINGS.get(HABIT, {})
    async with asyncpg.create_pool(
        URL, min_size=1, max_size=4, server_settings=settings
    ) as app.state.pool:
        if HABIT in BEFORE:
            await BEFORE[HABIT]()
        yield
        os._exit(0)


app = FastAPI(lifespan=lifespan)


@app.post("/changes")
async def change() -> dict[str, int]:
    if HABIT == "no_statement":
        return {"done": 1}
    async with app.state.pool.acquire() as db:
        transaction = db.transaction()
        await transaction.start()
        balance = await db.fetchval(f"SELECT balance FROM wallets{LOCK}")
        await misbehave(db)
        await db.execute("UPDATE wallets SET balance = $1", balance + 1)
        if HABIT == "never_ends":
            held.append(await app.state.pool.acquire())
            await held[-1].execute("BEGIN; SELECT count(*) FROM wallets")
        await transaction.commit()
    return {"done": 1}


async def misbehave(db: Any) -> None:
    if HABIT == "listens":
        await db.execute("NOTIFY changes, 'one'")
    elif HABIT == "copies":
        await db.copy_records_to_table("copies", records=[(n,) for n in range(2000)])
    elif HABIT == "large_results":
        rows = await db.fetch("SELECT n, repeat('x', 100) FROM generate_series(1, 100000) AS n")
        assert len(rows) == 100_000
    elif HABIT == "dies":
        os._exit(3)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
