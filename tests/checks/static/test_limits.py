import os
import sys
import time
from pathlib import Path

import pytest

from checks.static.limits import Limits, ScannerError, run_scanner

LIMITS = Limits(seconds=10, memory=1 << 30, output=1 << 20)
CLEAN = frozenset({0})


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-c", program]


async def test_output_and_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_SECRET", "x")
    program = "import os; print(os.getcwd(), os.environ['HOME'], 'ASSAY_SECRET' in os.environ)"
    output = await run_scanner("probe", python(program), tmp_path, LIMITS, accept=CLEAN)
    assert output.decode().split() == [str(tmp_path), str(tmp_path), "False"]


async def test_a_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    began = time.monotonic()
    with pytest.raises(ScannerError, match="did not finish within 1 s"):
        await run_scanner("probe", python(program), tmp_path, Limits(seconds=1), accept=CLEAN)
    assert time.monotonic() - began < 5
    child = int((tmp_path / "child").read_text())
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            if _ended(child):
                raise ProcessLookupError
            os.sched_yield()
        os.kill(child, 0)


def _ended(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"


async def test_endless_output_is_bounded(tmp_path: Path) -> None:
    program = "while True: print('x' * 65536)"
    with pytest.raises(ScannerError, match="printed more"):
        await run_scanner(
            "probe", python(program), tmp_path, Limits(3, 1 << 30, 1 << 20), accept=CLEAN
        )


async def test_memory_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(ScannerError, match="MemoryError"):
        await run_scanner("probe", python("x = bytearray(2 << 30)"), tmp_path, LIMITS, accept=CLEAN)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no such thing')", "exit status 1: no such thing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
async def test_a_crash_is_a_failure_with_its_reason(
    program: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ScannerError, match=said):
        await run_scanner("probe", python(program), tmp_path, LIMITS, accept=CLEAN)


async def test_a_scanner_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScannerError, match="exit status 127"):
        await run_scanner("probe", ["/nowhere/scanner"], tmp_path, LIMITS, accept=CLEAN)
