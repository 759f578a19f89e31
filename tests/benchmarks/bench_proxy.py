"""What the SQL proxy costs: the same statements past it and through it, in turns, and their ratio.

The proxy runs in a process of its own, as in a grading; past it, the server is reached by its Unix
socket, which is the quicker way in.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from checks.testbed.host import DatabaseUpstream
from checks.testbed.postgres import Server, open_server
from checks.testbed.sql.proxy import Endpoint

ROUNDS = 7
Run = Callable[["asyncpg.Connection[Any]"], Awaitable[object]]


async def short(connection: "asyncpg.Connection[Any]") -> None:
    """Five hundred statements of one row, one after another: latency."""
    for _ in range(500):
        await connection.fetchval("SELECT 1")


async def long(connection: "asyncpg.Connection[Any]") -> None:
    """Twenty thousand rows in one answer: throughput."""
    await connection.fetch("SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n")


async def transactions(connection: "asyncpg.Connection[Any]") -> None:
    """A hundred transactions of three statements, as a service sends them."""
    for number in range(100):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", number)
            await connection.fetch("SELECT n FROM generate_series(1, 20) n")
            await connection.fetchval("SELECT $1::text", "done")


async def seconds(run: Run, connection: "asyncpg.Connection[Any]") -> float:
    """How long a run takes on a connection."""
    began = time.perf_counter()
    await run(connection)
    return time.perf_counter() - began


async def serve(socket_folder: str) -> None:
    """The proxy's process: prints its port, and serves until its input is closed."""
    server = Server(socket_folder, 5432, "", "", "", "", embedded=True, superuser=True)
    async with Endpoint(DatabaseUpstream(server), 0.0) as endpoint:
        print(endpoint.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def compare(server: Server, port: int) -> None:
    """Print the medians of both ways, and the median of the rounds' ratios."""
    past = await asyncpg.connect(server.dsn())
    through = await asyncpg.connect(
        host="127.0.0.1",
        port=port,
        user=server.user,
        password=server.password,
        database=server.database,
    )
    print(f"{'statements':20} {'past it':>10} {'through it':>11} {'ratio':>6}")
    for run in (short, transactions, long):
        pairs = [(await seconds(run, past), await seconds(run, through)) for _ in range(ROUNDS)][1:]
        direct, proxied = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
        ratio = statistics.median(after / before for before, after in pairs)
        print(f"{run.__name__:20} {direct:7.1f} ms {proxied:8.1f} ms {ratio:6.2f}")
    await past.close()
    await through.close()


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        Path(name).chmod(0o711)
        async with open_server(Path(name) / "postgres") as server:
            proxy = await asyncio.create_subprocess_exec(
                sys.executable,
                __file__,
                server.host,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert proxy.stdout is not None
            await compare(server, int(await proxy.stdout.readline()))
            assert proxy.stdin is not None
            proxy.stdin.close()
            await proxy.wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]) if len(sys.argv) > 1 else main())
