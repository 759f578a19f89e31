"""One table with one row, by the role of the submission."""

import asyncio
import os

import asyncpg


async def main() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute("CREATE TABLE notes (id serial PRIMARY KEY, text text NOT NULL)")
    await connection.execute("INSERT INTO notes (text) VALUES ('migrated')")
    await connection.close()


asyncio.run(main())
