"""Connects, says so in the database, and stays."""

import asyncio
import os

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute("INSERT INTO notes (text) VALUES ('worker')")
    print("the worker is up")
    await asyncio.Event().wait()


asyncio.run(main())
