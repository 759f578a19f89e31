"""Drives a submission and the reference side by side with Locust, in alternate slices of one run.

What the figures mean: Locust, two replicas of each service, PostgreSQL, the SQL proxies and the PSP
simulator share one machine, so throughput and times are those of this machine and are no capacity.
The ratio compares like with like, slice by slice, and is what may be compared between machines. The
generator's own cost, about 0.2 ms of processor time a request, falls on both sides alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from checks.evidence import LoadReport
from checks.load import figures
from checks.load.profile import PROFILES, Plan, Profile, Results, Target, slices

_ROOT = Path(__file__).parents[2]
_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_SPARE_SECONDS = 40.0
_MEMORY_KIB = 4 << 20
_RESULTS_BYTES = 256 << 20
_RESULTS = "samples.json"
_LAUNCHER = 'ulimit -c 0; ulimit -f 1048576; ulimit -v "$1" 2>/dev/null; shift; exec "$@"'
_NOTHING = Results(slices=(), samples=(), failure=None, cpu=0.0)


async def drive(
    submission: Target,
    reference: Target,
    profile: Literal["quick", "full"],
    seed: int,
    out: Path | None = None,
) -> LoadReport:
    """Load both services and compare them; ``out`` is a folder for the raw samples and the log.

    Whatever a service does, the answer comes within the profile's seconds and a margin; its
    ``failure`` then says in a sentence why figures are missing.
    """
    chosen = PROFILES[profile]
    with tempfile.TemporaryDirectory(prefix="assay-load-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        plan = Plan(
            submission=submission,
            reference=reference,
            users=chosen.users,
            seed=seed,
            slices=slices(chosen, seed),
            results=str(folder / _RESULTS),
        )
        failure = await _generate(plan, chosen, folder)
        results = await asyncio.to_thread(_read, folder / _RESULTS)
        if out is not None:
            await asyncio.to_thread(_keep, folder, out)
    if results is None:
        failure = failure or "The load generator ended without a result."
    return figures.report(chosen, results or _NOTHING, failure=failure)


async def _generate(plan: Plan, profile: Profile, folder: Path) -> str | None:
    """Run Locust to its end; says in a sentence what went wrong, if anything did."""
    path = folder / "plan.json"
    path.touch(mode=0o600)
    path.write_text(plan.model_dump_json(), encoding="utf-8")
    log = folder / "locust.log"
    argv = [
        *(sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless"),
        *("-u", str(profile.users), "-r", str(profile.users), "--stop-timeout", "0"),
        *("--only-summary", "--loglevel", "WARNING", "--reset-stats"),
    ]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _LAUNCHER, "sh", str(_MEMORY_KIB), *argv),
            cwd=folder,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(folder),
                "LANG": "C.UTF-8",
                "PYTHONPATH": str(_ROOT),
                "ASSAY_LOAD_PLAN": str(path),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    limit = profile.seconds + _SPARE_SECONDS
    try:
        async with asyncio.timeout(limit):
            status = await process.wait()
    except TimeoutError:
        return f"The load did not end within {limit:g} s and was stopped."
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        path.unlink(missing_ok=True)
    if status != 0 and not (folder / _RESULTS).exists():
        return f"The load generator failed with exit status {status}."
    return None


def _read(path: Path) -> Results | None:
    """The generator's results, unless there are none, or none that can be read."""
    try:
        if path.stat().st_size > _RESULTS_BYTES:
            return None
        return Results.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _keep(folder: Path, out: Path) -> None:
    """Copy the raw samples and the log into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (_RESULTS, "locust.log"):
        source = folder / name
        if source.exists():
            (out / name).write_bytes(source.read_bytes())
