"""A port of the user's choice that leads to a replica, whose own port the testbed chooses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.errors import UsageError

CHUNK = 1 << 16


@asynccontextmanager
async def forwarded(port: int | None, host: str, target: int) -> AsyncIterator[int]:
    """Listens on ``port`` of the loopback and passes bytes on to ``host:target``.

    Without a port, gives ``target`` itself. Raises ``UsageError`` where the port is taken.
    """
    if port is None:
        yield target
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(host, target)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        writer.close()

    try:
        server = await asyncio.start_server(serve, "127.0.0.1", port)
    except OSError as failure:
        raise UsageError(f"Port {port} cannot be had: {failure.strerror}.") from failure
    async with server:
        yield port


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()
