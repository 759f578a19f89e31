"""However a command is told to stop, it ends what it started first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio
from harness.loop import StoppedError, run

async def main():
    try:
        print("started", flush=True)
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("cleaned", flush=True)

try:
    run(main())
except (StoppedError, KeyboardInterrupt) as stopped:
    print(type(stopped).__name__, flush=True)
"""


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (signal.SIGTERM, "StoppedError"),
        (signal.SIGHUP, "StoppedError"),
        (signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_a_signal_ends_it_cleanly(number: signal.Signals, name: str) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == "started\n"
        os.kill(it.pid, number)
        assert it.stdout.read().split() == ["cleaned", name]
        assert it.wait(10) == 0
