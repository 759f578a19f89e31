"""Folders that a submission has written to: how large they are, and how they are removed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any


def sizes(folder: str) -> Iterator[int]:
    """The size on disk of everything in a folder; links are not followed."""
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    with suppress(OSError):
                        yield entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
        except OSError:
            continue


def clean(folder: str) -> None:
    """The janitor: once every keeper is gone, remove the harness's run folder."""
    with suppress(FileNotFoundError), (Path(folder) / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, onerror=partial(_insist, folder))
    shutil.rmtree(folder, ignore_errors=True)


def _insist(folder: str, remove: Any, path: str, _: object) -> None:
    """Somebody may have taken the rights off what is in a folder; they are ours to take back.

    Those of the place where the folder stands are not.
    """
    with suppress(OSError):
        if path != folder:
            Path(path).parent.chmod(0o700)
        if not Path(path).is_symlink():
            Path(path).chmod(0o700)
        if remove in (os.open, os.scandir, os.lstat):
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)
