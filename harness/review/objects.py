"""What a repository holds, read without letting anything of the repository's run.

A repository's configuration, attributes and hooks can name commands that git runs, some even to
fetch an object that is missing. So git never opens the repository: it opens an empty one of ours
that borrows its objects, and the branches' files are read here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UsageError

#: Seconds that one of git's answers may take.
PATIENCE = 20.0
#: Bytes of a packed-refs file or a branch's file that are read.
LARGEST = 4_000_000

_COMMIT = re.compile(r"[0-9a-f]{40}")


class UnreadableError(Exception):
    """Git cannot read what it was asked for; what it said of it."""


class Objects:
    """The objects of a repository, and git's answers about them."""

    def __init__(self, git: str, folder: Path) -> None:
        self._git = git
        self._folder = folder

    @classmethod
    @contextmanager
    def of(cls, repository: Path) -> Iterator[Objects]:
        """Opens those of a folder with a ``.git`` in it.

        Raises ``UsageError`` where git is missing, ``UnreadableError`` where there are none.
        """
        git = shutil.which("git")
        if git is None:
            raise UsageError("git is not installed, and a review's kit is a git repository.")
        store = repository.resolve() / ".git" / "objects"
        if not store.is_dir():
            raise UnreadableError("it is no git repository")
        with tempfile.TemporaryDirectory(prefix="assay-review-") as name:
            objects = cls(git, Path(name))
            objects.ask("init", "--quiet", "--bare", "--template=")
            info = Path(name) / "objects" / "info"
            info.mkdir(exist_ok=True)
            (info / "alternates").write_bytes(os.fsencode(store) + b"\n")
            yield objects

    def ask(self, *command: str, told: bytes = b"") -> bytes:
        """What a git command says; raises ``UnreadableError``."""
        try:
            done = subprocess.run(
                [self._git, *command],
                cwd=self._folder,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": str(self._folder),
                    "LC_ALL": "C",
                    "GIT_DIR": str(self._folder),
                    "GIT_CONFIG_GLOBAL": os.devnull,
                    "GIT_CONFIG_NOSYSTEM": "1",
                },
                input=told,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnreadableError(f"git {command[0]} took too long") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise UnreadableError(said[-1] if said else f"git {command[0]} failed")
        return done.stdout

    def contents(self, names: Sequence[str]) -> dict[str, bytes]:
        """The bytes of blobs, by id or as ``COMMIT:PATH``; those that there are none of lack."""
        answer = self.ask("cat-file", "--batch", told="".join(f"{n}\n" for n in names).encode())
        found, at = dict[str, bytes](), 0
        for name in names:
            end = answer.index(b"\n", at)
            header, at = answer[at:end].split(b" "), end + 1
            if header[-1] == b"missing":
                continue
            size = int(header[-1])
            if header[-2] == b"blob":
                found[name] = answer[at : at + size]
            at += size + 1
        return found


def branch(repository: Path, name: str) -> str:
    """The commit that a branch is at; raises ``UnreadableError`` where there is no such branch."""
    home = repository / ".git"
    loose = _text(home / "refs" / "heads" / name).strip()
    if _COMMIT.fullmatch(loose):
        return loose
    for line in _text(home / "packed-refs").splitlines():
        commit, _, ref = line.partition(" ")
        if ref == f"refs/heads/{name}" and _COMMIT.fullmatch(commit):
            return commit
    raise UnreadableError(f"it has no branch {name}")


def _text(path: Path) -> str:
    """The text of a plain file, or none."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
