"""However the harness ends, nothing of it stays: no process, no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from exercises.places import ROOT
from tests.checks.testbed.conftest import PROBER

_HARNESS = f"""
import asyncio, sys
from pathlib import Path
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.testbed import Host, Submission

async def main():
    async with Host.open() as host:
        async with Submission.prepare(host, Path({str(PROBER)!r})) as submission:
            async with Broker.open(submission) as broker:
                async with await Control.connect(broker.socket) as control:
                    await control.lease("shared")
                    print(host.folder, flush=True)
                    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("signal", ["kill", "terminate"])
def test_nothing_remains_of_a_harness_that_is_killed(signal: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HARNESS], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as harness:
        assert harness.stdout is not None
        folder = Path(harness.stdout.readline().strip())
        assert (folder / "postgres").is_dir()
        below = psutil.Process(harness.pid).children(recursive=True)
        names = {process.name() for process in below}
        assert len(below) > 8, names
        getattr(harness, signal)()
        harness.wait(timeout=60)
    _, alive = psutil.wait_procs(below, timeout=60)
    assert not alive
    assert not folder.exists()
