"""Wallets, written back by whoever read them: FastAPI and asyncpg. VARIANT says how."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class Change(BaseModel):
    amount: int


READ = "SELECT balance, version FROM wallets WHERE id = $1"
WRITE = "UPDATE wallets SET balance = $2 WHERE id = $1"
SPENDABLE = "(SELECT coalesce(sum(amount), 0) FROM movements WHERE wallet = $1)"


async def racy(db: Any, wallet: int, amount: int) -> None:
    async with db.transaction():
        balance = await db.fetchval(READ, wallet)
        await db.execute(WRITE, wallet, balance + amount)


async def in_process(db: Any, wallet: int, amount: int) -> None:
    """Racy: the lock is another one in each replica."""
    import asyncio

    lock = app.state.lock = getattr(app.state, "lock", None) or asyncio.Lock()
    async with lock:
        await racy(db, wallet, amount)


async def one_statement(db: Any, wallet: int, amount: int) -> None:
    """Racy, and a single step: it looks and writes in itself."""
    await db.execute(
        f"INSERT INTO movements (wallet, amount) SELECT $1, $2::int WHERE {SPENDABLE} < 15",
        wallet,
        amount,
    )
    await db.execute(f"UPDATE wallets SET balance = 10 + {SPENDABLE} WHERE id = $1", wallet)


async def for_update(db: Any, wallet: int, amount: int) -> None:
    async with db.transaction():
        balance = await db.fetchval(f"{READ} FOR UPDATE", wallet)
        await db.execute(WRITE, wallet, balance + amount)


async def serializable(db: Any, wallet: int, amount: int) -> None:
    for _ in range(20):
        try:
            async with db.transaction(isolation="serializable"):
                balance = await db.fetchval(READ, wallet)
                await db.execute(WRITE, wallet, balance + amount)
                return
        except asyncpg.SerializationError:
            continue
    raise HTTPException(503)


async def version(db: Any, wallet: int, amount: int) -> None:
    row = await db.fetchrow(READ, wallet)
    update = "UPDATE wallets SET balance = $3, version = version + 1 WHERE id = $1 AND version = $2"
    done = await db.execute(update, wallet, row["version"], row["balance"] + amount)
    if done == "UPDATE 0":
        raise HTTPException(409, "changed meanwhile; try again")


async def no_wait(db: Any, wallet: int, amount: int) -> None:
    try:
        async with db.transaction():
            balance = await db.fetchval(f"{READ} FOR UPDATE NOWAIT", wallet)
            await db.execute(WRITE, wallet, balance + amount)
    except asyncpg.LockNotAvailableError:
        raise HTTPException(503, headers={"Retry-After": "0"}) from None


async def advisory(db: Any, wallet: int, amount: int) -> None:
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", wallet)
        await racy(db, wallet, amount)


VARIANTS: dict[str, Callable[[Any, int, int], Awaitable[None]]] = {
    "racy": racy,
    "in_process": in_process,
    "one_statement": one_statement,
    "for_update": for_update,
    "serializable": serializable,
    "version": version,
    "no_wait": no_wait,
    "advisory": advisory,
}
change = VARIANTS[os.environ.get("VARIANT", "racy")]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=8) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/wallets", status_code=201)
async def open_wallet() -> dict[str, int]:
    async with app.state.pool.acquire() as db:
        return {"id": await db.fetchval("INSERT INTO wallets (balance) VALUES (10) RETURNING id")}


@app.post("/wallets/{wallet}/changes")
async def change_wallet(wallet: int, change_: Change) -> dict[str, int]:
    async with app.state.pool.acquire() as db:
        await change(db, wallet, change_.amount)
    return {"wallet": wallet}


@app.get("/wallets/{wallet}")
async def show_wallet(wallet: int) -> dict[str, int]:
    async with app.state.pool.acquire() as db:
        return {"balance": await db.fetchval("SELECT balance FROM wallets WHERE id = $1", wallet)}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
