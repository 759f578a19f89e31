"""A submission taken in: a folder, a git repository, a ``.tar.gz`` or a ``.zip``.

Everything in it is hostile until shown otherwise. Only plain files are taken, by their content;
links, devices, names that lead outside, and anything beyond the limits are refused with one
sentence. Of a git repository the work tree counts, committed or not; git itself is never run on
it, since a repository's own configuration can name programs to run.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exercises.kit import Kit, read_kit
from exercises.tree import is_leaving, write_tree
from harness.archives import read_archive
from harness.errors import UsageError
from harness.intake import Intake, Limits

MANIFEST = "assay.toml"


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission's files as taken in; ``digest`` is the SHA-256 of paths and contents."""

    name: str
    tree: dict[str, bytes]
    digest: str

    @property
    def kit(self) -> Kit | None:
        """The kit that it was made from, if it still says so."""
        return read_kit(self.tree)

    def write(self, folder: Path) -> None:
        """Writes the files into a folder."""
        write_tree(self.tree, folder)


def take_in(path: Path, limits: Limits | None = None) -> Submission:
    """Reads a submission; raises ``UsageError`` for anything that is not one."""
    tree = _unwrapped(_read(Intake(path, limits or Limits())))
    if MANIFEST not in tree:
        raise UsageError(
            f"{path} is not a submission: it has no {MANIFEST} at its root, "
            "which says how the service is built and run."
        )
    return Submission(path.resolve().name, tree, digest(tree))


def digest(tree: dict[str, bytes]) -> str:
    """The SHA-256 over a tree's paths and contents, each preceded by its length."""
    total = hashlib.sha256()
    for path in sorted(tree):
        name, data = path.encode(), tree[path]
        total.update(b"%d %d\n" % (len(name), len(data)) + name + data)
    return total.hexdigest()


def _unwrapped(tree: dict[str, bytes]) -> dict[str, bytes]:
    """An archive often holds one folder that holds all: that folder's content is meant."""
    tops = {path.split("/", 1)[0] for path in tree}
    if MANIFEST in tree or len(tops) != 1:
        return tree
    top = tops.pop() + "/"
    if top + MANIFEST not in tree:
        return tree
    return {path.removeprefix(top): data for path, data in tree.items()}


def _read(intake: Intake) -> dict[str, bytes]:
    source = intake.source
    try:
        mode = source.stat().st_mode
    except OSError as failure:
        raise UsageError(f"{source} cannot be read: {failure.strerror}.") from failure
    try:
        if stat.S_ISDIR(mode):
            _read_folder(intake)
        elif stat.S_ISREG(mode):
            read_archive(intake)
        else:
            raise UsageError(f"{source} is neither a folder nor an archive.")
    except OSError as failure:
        what = failure.filename or source
        raise UsageError(f"{what} cannot be read: {failure.strerror or failure}.") from failure
    return intake.tree


def _read_folder(intake: Intake) -> None:
    names = {entry.name for entry in os.scandir(intake.source)}
    if {"HEAD", "objects", "refs"} <= names and MANIFEST not in names:
        raise UsageError(f"{intake.source} is a bare git repository: clone it first.")
    for entry, path in _walk(intake, intake.source, ""):
        if not intake.admit(path):
            continue
        if entry.is_symlink():
            raise intake.refused(path, "is a link: hand in the file itself")
        if not entry.is_file(follow_symlinks=False):
            raise intake.refused(path, "is neither a file nor a folder")
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise intake.refused(path, "is neither a file nor a folder")
            intake.keep(path, file)


def _walk(intake: Intake, folder: Path, under: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as found:
        ordered = sorted(found, key=lambda entry: entry.name)
    for entry in ordered:
        path = under + entry.name
        if is_leaving(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            if path.count("/") >= intake.limits.depth:
                raise intake.refused(path, "lies too deep")
            yield from _walk(intake, Path(entry.path), path + "/")
        else:
            yield entry, path
