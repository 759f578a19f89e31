"""Whether a process tree does anything, by the kernel's account of its threads.

A service that waits (for a mutex, a pause, a pool) has threads that all sleep; one that computes,
or waits for a processor that others keep busy, has one that runs. No clock can tell these apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from checks.testbed.descendants import descendants

#: Seconds between two looks, during which nothing may have run.
_INTERVAL = 0.005

#: Each thread with the time that it has run, in nanoseconds, and how often it was given a turn.
Look = dict[int, tuple[str, str]]


async def asleep(pid: int, still: Callable[[], bool]) -> bool:
    """Whether all of a tree's threads slept through an interval; at once false if not ``still``."""
    before = _look(pid)
    if before is None:
        return False
    await asyncio.sleep(_INTERVAL)
    return still() and _look(pid) == before


def _look(pid: int) -> Look | None:
    """The tree's threads; ``None`` where one of them runs, or is about to."""
    found: Look = {}
    for process in (pid, *descendants(pid)):
        for thread in _threads(process):
            try:
                state = (thread / "stat").read_text().rpartition(") ")[2][:1]
                ran, _, turns = (thread / "schedstat").read_text().split()
            except (OSError, ValueError):
                continue
            if state in "RD":
                return None
            found[int(thread.name)] = (ran, turns)
    return found


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
