"""Trees of files, and how they are put together: the reference plus a variant of each flaw.

A tree maps a path (``payments/app.py``, POSIX, relative) to its bytes. Variants are patches on
one base, so a three-way merge needs no search: each patch is a known set of edits of the same
lines, and the merge is their union. Edits that overlap, or insert at the same place, are a
conflict; edits that are alike are made once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from exercises import places
from exercises.patches import Edit, FileChange, Patch, PatchError, split_lines

Tree = Mapping[str, bytes]

#: Names that are a tool's leavings and never part of a service, wherever they lie in a tree.
LEAVINGS = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    "__MACOSX",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".tox",
    ".nox",
    ".idea",
    ".vscode",
    ".assay",
    "assay-out",
    ".DS_Store",
    ".coverage",
    "*.pyc",
    "*.egg-info",
)


class ConflictError(PatchError):
    """Two variants that cannot stand in one tree; names both, and the file."""


@dataclass(frozen=True, slots=True)
class _Owned:
    """An edit and the patch that makes it."""

    edit: Edit
    patch: str


def is_leaving(name: str) -> bool:
    """Whether a file or folder of this name is a tool's leaving (a cache, an environment)."""
    return any(fnmatchcase(name, pattern) for pattern in LEAVINGS)


def walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder, depth first, sorted, without tools' leavings; no link is followed.

    Folders themselves are not given; links and special files are, and the caller decides.
    """
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if is_leaving(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))
        else:
            yield entry


def read_tree(folder: Path) -> dict[str, bytes]:
    """The tree of a folder that we trust; raises ``ValueError`` for a link or a special file."""
    tree: dict[str, bytes] = {}
    for entry in walk(folder):
        if not entry.is_file(follow_symlinks=False):
            raise ValueError(f"{entry.path} is neither a plain file nor a folder.")
        path = Path(entry.path)
        tree[path.relative_to(folder).as_posix()] = path.read_bytes()
    return tree


#: The reference's own tests assert the very rules that flaws break: a kit that held them would
#: point at its answers. Their fixtures and the test kit stay, for the candidate's own; not so the
#: model that the service is held against, and the table of what it refuses.
_ANSWERS = ("tests/test_*", "testkit/model/*", "testkit/edges/*")


@lru_cache(maxsize=4)
def _reference(folder: Path) -> tuple[tuple[str, bytes], ...]:
    tree = read_tree(folder)
    return tuple((path, data) for path, data in tree.items() if not _is_answer(path))


def _is_answer(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in _ANSWERS)


def reference_tree(track: str = "fastapi") -> dict[str, bytes]:
    """The reference service of a track without its tests, read once a process."""
    return dict(_reference(places.service(track)))


def write_tree(tree: Tree, folder: Path) -> None:
    """Writes a tree into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for made in {folder / Path(path).parent for path in tree}:
        made.mkdir(parents=True, exist_ok=True)
    for path, data in tree.items():
        (folder / path).write_bytes(data)


def compose(base: Tree, patches: Iterable[Patch]) -> dict[str, bytes]:
    """The base with all the patches, each a change of that same base, merged.

    Raises ``PatchError`` for one that does not fit, ``ConflictError`` for two that disagree.
    """
    tree = dict(base)
    edited: dict[str, list[_Owned]] = {}
    structural: dict[str, tuple[str, bytes | None]] = {}
    for patch in patches:
        for change in patch.changes:
            if change.edits_in_place:
                path = change.old or ""
                found = change.edits(_content(base, path, patch.name), patch.name)
                edited.setdefault(path, []).extend(_Owned(edit, patch.name) for edit in found)
            else:
                _restructure(structural, base, change, patch.name)
    for path, (name, content) in structural.items():
        if path in edited:
            raise _conflict(name, edited[path][0].patch, path)
        if content is None:
            del tree[path]
        else:
            tree[path] = content
    for path, owned in edited.items():
        tree[path] = _merge(base[path], owned, path)
    return tree


def _content(base: Tree, path: str, patch: str) -> bytes:
    try:
        return base[path]
    except KeyError:
        raise PatchError(
            f"patch {patch} no longer fits the reference: there is no {path}."
        ) from None


def _restructure(
    structural: dict[str, tuple[str, bytes | None]], base: Tree, change: FileChange, patch: str
) -> None:
    """Notes the files that a change makes, deletes or renames; the same twice over is made once."""
    if change.old is None and change.new in base:
        raise PatchError(f"patch {patch} no longer fits the reference: {change.new} exists.")
    before = b"" if change.old is None else _content(base, change.old, patch)
    after = replace_lines(before, change.edits(before, patch))
    if change.new is None and after:
        raise PatchError(f"patch {patch} no longer fits the reference: {change.old} has grown.")
    wanted: list[tuple[str, bytes | None]] = []
    if change.old is not None:
        wanted.append((change.old, None))
    if change.new is not None:
        wanted.append((change.new, after))
    for path, content in wanted:
        earlier = structural.setdefault(path, (patch, content))
        if earlier[1] != content:
            raise _conflict(earlier[0], patch, path)


def _merge(base: bytes, owned: Sequence[_Owned], path: str) -> bytes:
    ordered = sorted(owned, key=lambda one: (one.edit.start, one.edit.end))
    kept: list[_Owned] = []
    for one in ordered:
        if kept:
            last = kept[-1]
            if one.edit == last.edit:
                continue
            same_place = one.edit.start == one.edit.end == last.edit.start == last.edit.end
            if one.edit.start < last.edit.end or same_place:
                raise _conflict(last.patch, one.patch, path, one.edit.start + 1)
        kept.append(one)
    return replace_lines(base, tuple(one.edit for one in kept))


def replace_lines(base: bytes, edits: Sequence[Edit]) -> bytes:
    """``base`` with edits that are in order and do not overlap."""
    lines = split_lines(base)
    parts: list[bytes] = []
    at = 0
    for edit in edits:
        parts.extend(lines[at : edit.start])
        parts.extend(edit.added)
        at = edit.end
    parts.extend(lines[at:])
    return b"".join(parts)


def _conflict(one: str, other: str, path: str, line: int | None = None) -> ConflictError:
    where = path if line is None else f"{path} line {line}"
    return ConflictError(f"variants {one} and {other} both change {where}.")
