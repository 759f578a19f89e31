"""Runs a scanner over hostile source: bounded in time, memory and output, with a clean environment.

A scanner reads what a candidate wrote and never runs it, but parsers have bugs: a file may make one
crash, spin or print without end. Whatever happens, the harness gets either the scanner's output or
one sentence that says why there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_STDERR_KEPT = 4096
_BLOCK = 512  # the unit of the shell's limit on files

# POSIX shells set limits without a fork hook in our process. Virtual memory cannot be limited on
# macOS, where the shell says so and the scanner runs without that one limit.
_LAUNCHER = (
    'ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3" 2>/dev/null; shift 3; exec "$@"'
)


class ScannerError(Exception):
    """A scanner gave no usable answer; the message is one sentence for the report."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run of a scanner may use: seconds of wall clock, bytes of memory and of output."""

    seconds: float = 20.0
    memory: int = 4 << 30
    output: int = 48 << 20


async def run_scanner(
    name: str, argv: Sequence[str], folder: Path, limits: Limits, *, accept: frozenset[int]
) -> bytes:
    """Run ``argv`` in the private ``folder`` and return its standard output.

    ``accept`` are the exit statuses of a complete run. Raises ``ScannerError`` for a time-out, too
    much output, another exit status or a death by signal; the whole process group is ended then.
    """
    # Into files, which the limit on files bounds; a pipe would need a reader that never stalls.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
        status = await _run(name, argv, folder, limits, (output, complaint))
        written = os.fstat(output.fileno()).st_size
        if written >= limits.output:
            raise ScannerError(f"{name} printed more than {limits.output >> 20} MiB.")
        if status not in accept:
            raise ScannerError(_why(name, status, _end_of(complaint)))
        output.seek(0)
        return output.read()


async def _run(
    name: str,
    argv: Sequence[str],
    folder: Path,
    limits: Limits,
    files: tuple[IO[bytes], IO[bytes]],
) -> int:
    """Run the scanner to its end and return its exit status, negative for a signal."""
    sizes = (int(limits.seconds) + 1, limits.output // _BLOCK, limits.memory >> 10)
    try:
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _LAUNCHER, "sh", *(str(size) for size in sizes), *argv),
            cwd=folder,
            env=_environment(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=files[0],
            stderr=files[1],
            start_new_session=True,
        )
    except OSError as error:
        raise ScannerError(f"{name} could not be started: {error.strerror}.") from error
    try:
        async with asyncio.timeout(limits.seconds):
            return await process.wait()
    except TimeoutError:
        raise ScannerError(f"{name} did not finish within {limits.seconds:g} s.") from None
    finally:
        # The group outlives its leader where the scanner left children behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the harness's own environment; every folder a scanner may look for is private."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SEMGREP_SEND_METRICS": "off",
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
    }


def _end_of(file: IO[bytes]) -> str:
    file.seek(max(0, os.fstat(file.fileno()).st_size - _STDERR_KEPT))
    return file.read().decode("utf-8", errors="replace")


def _why(name: str, status: int, complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    last = f": {lines[-1][:200]}" if lines else ""
    if status < 0:
        return f"{name} was ended by {signal.Signals(-status).name}{last}."
    return f"{name} failed with exit status {status}{last}."
