"""A port that is asked for leads to the replica, or is refused in a sentence."""

from __future__ import annotations

import asyncio
import socket

import pytest

from harness.errors import UsageError
from harness.forward import forwarded


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(5))
    await writer.drain()
    writer.close()


async def test_bytes_go_there_and_back() -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        target = server.sockets[0].getsockname()[1]
        async with forwarded(free_port(), "127.0.0.1", target) as port, asyncio.timeout(10):
            assert port != target
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            assert await reader.read() == b"hello"
            writer.close()


async def test_without_a_port_the_replicas_own_is_meant() -> None:
    async with forwarded(None, "127.0.0.1", 4711) as port:
        assert port == 4711


async def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} cannot be had"):
            async with forwarded(port, "127.0.0.1", 1):
                pass
