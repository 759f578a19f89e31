"""A process that waits is told from one that works, however busy the machine is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from checks.testbed.driving.activity import asleep


@contextmanager
def running(code: str) -> Iterator[int]:
    """A Python process that has said that it is there."""
    command = [sys.executable, "-u", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


async def settled(pid: int, looks: int = 50) -> bool:
    """Whether it is found asleep within some looks; some may fall on its way to sleep."""
    for _ in range(looks):
        if await asleep(pid, lambda: True):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_one_that_waits_is_asleep() -> None:
    with running("import sys; print('there'); sys.stdin.read()") as pid:
        # On a busy machine it takes a while until it comes to wait.
        assert await settled(pid, looks=1000)


async def test_one_that_computes_is_not() -> None:
    with running("print('there')\nwhile True: pass") as pid:
        assert not await settled(pid)


async def test_one_thread_that_computes_is_enough() -> None:
    code = (
        "import threading\n"
        "def work():\n    while True: pass\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "print('there')\nimport sys; sys.stdin.read()"
    )
    with running(code) as pid:
        assert not await settled(pid)


async def test_a_child_that_computes_is_enough() -> None:
    code = (
        "import os, sys\n"
        "if not os.fork():\n"
        "    while os.getppid() != 1: pass\n"
        "    os._exit(0)\n"
        "print('there')\nsys.stdin.read()"
    )
    with running(code) as pid:
        assert not await settled(pid)


async def test_what_has_changed_meanwhile_is_not_asleep() -> None:
    with running("import sys; print('there'); sys.stdin.read()") as pid:
        assert not await asleep(pid, lambda: False)
