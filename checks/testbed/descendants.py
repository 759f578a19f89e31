"""The processes below one, and what they use, as the kernel tells it (``man 5 proc``)."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path


def descendants(pid: int) -> Iterator[int]:
    """All processes below one, by the kernel's own lists of children."""
    waiting = [pid]
    while waiting:
        try:
            tasks = os.listdir(f"/proc/{waiting[-1]}/task")  # noqa: PTH208 - names are all it needs
        except OSError:
            tasks = []
        parent = waiting.pop()
        for task in tasks:
            try:
                children = Path(f"/proc/{parent}/task/{task}/children").read_text().split()
            except OSError:
                continue
            for child in map(int, children):
                yield child
                waiting.append(child)


def state(pid: int) -> str:
    """The letter for a process's state (``man 5 proc_pid_stat``); X where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] or "X"
    except OSError:
        return "X"


def resident(pid: int) -> int:
    """Resident memory in bytes, shared pages included; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return int(fields[1]) * resource.getpagesize() if len(fields) > 1 else 0


def proportional(pid: int) -> int:
    """Resident memory with each shared page divided among those that share it."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = (line.split() for line in text.splitlines() if line.startswith("Pss:"))
    return sum(int(words[1]) * 1024 for words in found)
