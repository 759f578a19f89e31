"""What is built once on a machine and used again: environments, a runtime, database files.

Every entry is a folder made under a lock, and complete once its marker is there, so that several
gradings may ask for the same one at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MARKER = ".complete"


def cache_root() -> Path:
    """``ASSAY_CACHE``; else a system folder as root, so that other users reach it, else XDG's."""
    named = os.environ.get("ASSAY_CACHE")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/assay")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assay"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file of that name for the block, waiting for others; it dies with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def built(folder: Path, build: Callable[[Path], None]) -> Path:
    """A folder of the cache, built if it is not there whole; ``build`` gets the empty folder.

    What ``build`` raises passes through, and nothing half-built is ever taken for whole.
    """
    if (folder / _MARKER).exists():
        return folder
    with locked(folder.with_name(folder.name + ".lock")):
        if (folder / _MARKER).exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            build(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / _MARKER).touch()
    return folder


def open_to_all(path: Path) -> bool:
    """Whether every user can traverse to a path and read it."""
    resolved = path.resolve()
    for part in (resolved, *resolved.parents):
        mode = part.stat().st_mode
        needed = stat.S_IXOTH if part != resolved or part.is_dir() else stat.S_IROTH
        if not mode & needed:
            return False
    return True
