"""Publishing a thousand events from the outbox, by one worker and by two, to the database's log."""

import asyncio
import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from checks.testbed.postgres import open_server
from harness.loop import run
from tests.benchmarks.bench_transfers import SERVICE, environment

#: Events, of how many objects, and how often each way is measured.
EVENTS, OBJECTS, ROUNDS = 1_000, 400, 5

#: Seconds that are allowed.
WANTED = 2.0

_FILL = f"""
WITH made AS (
    INSERT INTO streams (merchant_id, object_id, sequence)
    SELECT 'mer_bench', 'po_' || $1 || '_' || n, {EVENTS} / {OBJECTS}
           + CASE WHEN n <= {EVENTS} % {OBJECTS} THEN 1 ELSE 0 END
    FROM generate_series(1, {OBJECTS}) n
    RETURNING object_id, sequence
)
INSERT INTO events (merchant_id, object_id, sequence, id, type, data, created_at)
SELECT 'mer_bench', object_id, step, 'evt_' || object_id || '_' || step, 'payout.changed',
       jsonb_build_object('id', object_id, 'text', repeat('x', 400)), now()
FROM made, generate_series(1, sequence) step
"""
_PUBLISHED = (
    "SELECT count(DISTINCT event_id) FROM messages WHERE event_id LIKE 'evt_po_' || $1 || '_%'"
)


@dataclasses.dataclass
class Workers:
    """Workers that run, and the database that they work on."""

    connection: asyncpg.Connection
    round: int = 0

    async def publish(self) -> float:
        """Seconds until the workers have published what is committed at once."""
        self.round += 1
        name = f"{id(self)}{self.round}"
        await self.connection.execute(_FILL.replace("$1", f"'{name}'"))
        began = time.perf_counter()
        while await self.connection.fetchval(_PUBLISHED, name) < EVENTS:
            await asyncio.sleep(0.005)
        return time.perf_counter() - began


@contextlib.asynccontextmanager
async def working(url: str, count: int) -> AsyncIterator[Workers]:
    """So many workers on a database; they are warm when they have published once."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "payments.worker"),
            cwd=SERVICE,
            env=environment(url),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        for _ in range(count)
    ]
    connection = await asyncpg.connect(url)
    try:
        workers = Workers(connection)
        await workers.publish()
        yield workers
    finally:
        await connection.close()
        for process in processes:
            process.terminate()
            await process.wait()


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        Path(name).chmod(0o711)
        async with open_server(Path(name) / "postgres") as server:
            await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "alembic", "upgrade", "heads"],
                cwd=SERVICE,
                env=os.environ | environment(server.dsn()),
                check=True,
            )
            for count in (1, 2):
                async with working(server.dsn(), count) as workers:
                    times = [await workers.publish() for _ in range(ROUNDS)]
                print(
                    f"{EVENTS} events of {OBJECTS} objects, {count} worker{'s' * (count > 1)}:"
                    f" {statistics.median(times):.2f} s, at most {max(times):.2f} s"
                    f" ({WANTED:g} s wanted)."
                )


if __name__ == "__main__":
    run(main())
