"""The service's own processes, as they are run in production."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx

PROJECT = Path(__file__).parent.parent

PATIENCE = 180
"""Seconds; nothing is judged by it, it only ends a test that would never end."""


@contextmanager
def process(
    environment: Mapping[str, str], *arguments: str, log: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the service; killed at the end if it still runs."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@asynccontextmanager
async def replica_process(
    environment: Mapping[str, str], *, log: int = subprocess.PIPE
) -> AsyncIterator[tuple[subprocess.Popen[bytes], httpx.AsyncClient]]:
    """A replica in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = ("-m", "uvicorn", "payments.app:create_app", "--factory", "--no-access-log")
    with process(environment, *service, "--port", str(port), log=log) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        assert (await http.get("/readyz")).status_code == 200
                        break
                    except httpx.TransportError:
                        assert running.poll() is None
                        await asyncio.sleep(0.05)
            yield running, http
