"""A submission's own copy, and the box each of its processes is put into."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from checks.testbed.confine import Confinement, Mechanism
from checks.testbed.environment import Environment
from checks.testbed.errors import SubmissionError
from checks.testbed.order import Order
from checks.testbed.users import private_user

#: Not part of what is run: histories, environments and caches of the candidate's machine.
_LEFT_BEHIND = (".git", ".hg", ".venv", "venv", "__pycache__", "node_modules", ".assay")
_SIZE_LIMIT, _FILES_LIMIT = 256 * 1024 * 1024, 20_000


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder that one process may write, and the user it runs as (``None``: the harness's)."""

    folder: Path
    uid: int | None


class Launcher(Protocol):
    """How a process is to be run: in a box, or as it is. ``held`` is as a box's."""

    @property
    def held(self) -> tuple[int, ...]:
        """The descriptors that keepers hold."""
        ...

    def order(
        self,
        command: list[str],
        scratch: Scratch,
        settings: Mapping[str, str],
        *,
        bind: Iterable[int] = (),
        connect: Iterable[int] = (),
        builds: bool = False,
    ) -> Order:
        """What a keeper needs to run a command."""
        ...


@dataclass(frozen=True, slots=True)
class Box:
    """Where a submission's processes run: its copy, its environment, and nothing else.

    ``folder`` is reachable by the group ``gid`` alone (``None`` where users cannot be changed);
    ``held`` are the descriptors that keepers hold.
    """

    folder: Path
    source: Path
    environment: Environment
    mechanism: Mechanism
    uid: int | None
    gid: int | None
    held: tuple[int, ...]

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """A fresh folder for one process, with a user of its own."""
        with private_user() as uid:
            folder = self.folder / f"scratch-{secrets.token_hex(4)}"
            folder.mkdir(mode=0o700)
            if uid is not None:
                os.chown(folder, uid, self.gid if self.gid is not None else uid)
            try:
                yield Scratch(folder, uid)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def order(
        self,
        command: list[str],
        scratch: Scratch,
        settings: Mapping[str, str],
        *,
        bind: Iterable[int] = (),
        connect: Iterable[int] = (),
        builds: bool = False,
    ) -> Order:
        """What a keeper needs to run a command in the box.

        ``settings`` is the contract's part of the environment. With ``builds`` the process may
        change the submission's copy, and runs as its owner.
        """
        write = (str(scratch.folder), *((str(self.source),) if builds else ()))
        confinement = Confinement(
            mechanism=self.mechanism,
            uid=self.uid if builds else scratch.uid,
            gid=self.gid,
            read=(str(self.source), *self.environment.readable),
            write=write,
            bind=tuple(bind),
            connect=tuple(connect),
            seccomp=self.mechanism != "none",
        )
        return Order(
            argv=command,
            environment={**self._environment(scratch), **settings},
            folder=str(self.source),
            confinement=confinement,
            watched=write,
        )

    def owned(self, scratch: Scratch) -> Scratch:
        """The scratch folder given to the copy's owner, for building."""
        if self.uid is not None:
            os.chown(scratch.folder, self.uid, self.gid or self.uid)
        return replace(scratch, uid=self.uid)

    def _environment(self, scratch: Scratch) -> dict[str, str]:
        folder = str(scratch.folder)
        return {
            "PATH": f"{self.environment.bin}:/usr/bin:/bin",
            "VIRTUAL_ENV": str(self.environment.folder),
            "HOME": folder,
            "TMPDIR": folder,
            "USER": "payments",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def copy_submission(submission: Path, target: Path, owner: int | None, group: int | None) -> None:
    """Copy what is to be run: plain files and folders, and links that stay inside.

    Blocks. Raises ``SubmissionError`` for more than a service can need.
    """
    size = files = 0
    for folder, folders, names in os.walk(submission):
        folders[:] = sorted(name for name in folders if name not in _LEFT_BEHIND)
        place = target / Path(folder).relative_to(submission)
        place.mkdir(mode=0o750)
        _own(place, owner, group)
        for name in [n for n in folders if (Path(folder) / n).is_symlink()]:
            folders.remove(name)
            names.append(name)
        for name in names:
            found = Path(folder) / name
            status = found.lstat()
            size, files = size + status.st_size, files + 1
            if size > _SIZE_LIMIT or files > _FILES_LIMIT:
                raise SubmissionError(
                    f"The submission is larger than {_SIZE_LIMIT // 2**20} MiB or "
                    f"{_FILES_LIMIT:,} files.",
                    "environment",
                )
            _copy_one(found, place / name, status.st_mode, submission)
            _own(place / name, owner, group)


def _copy_one(found: Path, target: Path, mode: int, submission: Path) -> None:
    if stat.S_ISLNK(mode):
        if found.resolve().is_relative_to(submission.resolve()):
            target.symlink_to(found.readlink())
    elif stat.S_ISREG(mode):
        shutil.copy2(found, target)
        target.chmod(0o750 if mode & stat.S_IXUSR else 0o640)


def _own(path: Path, owner: int | None, group: int | None) -> None:
    if owner is not None and group is not None and os.path.lexists(path):
        os.chown(path, owner, group, follow_symlinks=False)
