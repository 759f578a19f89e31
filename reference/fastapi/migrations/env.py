"""Runs the migrations on the database that DATABASE_URL names, all in one transaction."""

import asyncio
import os
import sys

from alembic import context
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from payments.kit.database import asyncpg_url

MIGRATION_LOCK = 7_203_514


def migrate(connection: Connection) -> None:
    """Run what is to be run; who starts second waits, and finds it done."""
    connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    """Connect and migrate."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        sys.exit("Set DATABASE_URL to the database that is to be migrated.")
    engine = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
