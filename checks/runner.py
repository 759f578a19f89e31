"""Runs pytest on the checks, away from anything of the submission's, and streams the verdicts.

    async with Runner.launch(select(flaws=["payment-idor"]), seed=7) as runner:
        ...  # make the submission ready meanwhile: pytest takes as long to start
        async for verdict in runner.verdicts(broker.socket):
            ...

Every check asked for gets a verdict: one that was not collected, or was under way when pytest
ended, gets ``error``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import IO, Self

from pydantic import ValidationError

from checks.catalogue import CHECKS, catalogue
from checks.evidence import CheckVerdict, Verdict
from checks.registry import Declaration
from checks.running import ruling

_ROOT = CHECKS.parent

#: Seconds for all checks together, after which those that remain are errors.
PATIENCE = 900.0

#: Longest line of a verdict, in bytes.
_LINE_LIMIT = 64 * 1024 * 1024

#: Characters of what pytest printed that an ``error`` quotes.
_TAIL = 1500

#: What pytest inherits of our environment.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class Runner:
    """pytest on some checks, from its start to the last verdict; made by ``Runner.launch``."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        printed: IO[bytes],
        wanted: Mapping[str, Declaration],
        seed: int,
    ) -> None:
        self._process = process
        self._reader = reader
        self._printed = printed
        self._wanted = wanted
        self._seed = seed

    @classmethod
    @asynccontextmanager
    async def launch(
        cls,
        check_ids: Sequence[str],
        seed: int,
        *,
        again: str = "",
        root: Path = CHECKS,
        declarations: Sequence[Declaration] | None = None,
    ) -> AsyncIterator[Self]:
        """Start pytest, which collects the checks and then waits to be told of a broker.

        ``check_ids`` are those to answer for (``catalogue.select`` closes them over their needs).
        ``again`` is the one schedule to drive, on replay. ``root`` holds the families' folders.
        """
        known = {found.id: found for found in (declarations or catalogue())}
        wanted = {name: known[name] for name in check_ids}
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
        with closing(writer), tempfile.TemporaryFile() as printed:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *_command(list(wanted), seed, again, theirs.fileno(), root),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=printed,
                    stderr=printed,
                    pass_fds=(theirs.fileno(),),
                    cwd=_ROOT,
                    env=_environment(),
                    start_new_session=True,
                )
            try:
                yield cls(process, reader, printed, wanted, seed)
            finally:
                await _end(process)

    async def verdicts(
        self, broker_socket: Path | str, patience: float = PATIENCE
    ) -> AsyncIterator[CheckVerdict]:
        """Run the checks on the testbeds that a broker lends, and give each verdict as reached."""
        await self._tell(broker_socket)
        missing = dict(self._wanted)
        async for verdict in _verdicts(self._reader, patience):
            if missing.pop(verdict.check, None) is not None:
                yield verdict
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        await _end(self._process)
        tail = _tail(self._printed)
        for declaration in missing.values():
            because = f"It was not run to its end (pytest ended with {self._process.returncode})."
            said = f"{because} {tail}".strip()
            yield ruling(declaration, Verdict.ERROR, said, seed=self._seed)

    async def _tell(self, broker_socket: Path | str) -> None:
        told = self._process.stdin
        if told is not None:
            with suppress(OSError):  # pytest may have ended: then every check gets an error
                told.write(f"{broker_socket}\n".encode())
                await told.drain()
            told.close()


def _command(names: list[str], seed: int, again: str, verdicts: int, root: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "checks", "-q"),
        *("-c", str(CHECKS / "pytest.ini"), "--rootdir", str(root.parent), "--noconftest"),
        *("-p", "checks.plugin", "-p", "no:cacheprovider"),
        *("--assay-broker", "-", "--assay-verdicts", str(verdicts)),
        *("--assay-seed", str(seed), "--assay-checks", ",".join(names)),
        f"--assay-again={again}",
        *(str(folder) for folder in sorted(root.iterdir()) if any(folder.glob("check_*.py"))),
    ]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(_ROOT),
        "PYTHONUNBUFFERED": "1",
    }


async def _verdicts(reader: asyncio.StreamReader, patience: float) -> AsyncIterator[CheckVerdict]:
    """The verdicts that come through the pipe, until it closes or the time is up."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                line = await reader.readline()
        except TimeoutError:
            return
        if not line.endswith(b"\n"):
            return
        with suppress(ValidationError):
            yield CheckVerdict.model_validate_json(line)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End pytest and whatever it started, if it has not ended."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _tail(printed: IO[bytes]) -> str:
    printed.seek(0)
    return printed.read().decode("utf-8", "replace")[-_TAIL:]
