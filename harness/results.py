"""Where a result goes: a new or an empty folder, or one whose earlier result it replaces.

An earlier result is recognised by what it holds, and only its own files are ever removed; a folder
that holds anything besides is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import UsageError

EVIDENCE = "evidence.json"
#: What a role's folder holds, in the order of writing: the first says whose the folder is.
REPORTS = ("scorecard.json", "report.html", "report.md")
#: What a calibration leaves: its cells, the page made of them, and a folder of their evidence.
CELLS, PAGE, CELL_EVIDENCE = "cells.json", "index.html", "evidence"
#: What was graded, where ``assay demo`` leaves it beside its result.
SUBMISSION = "submission"

Files = frozenset[Path]


def prepare_out(out: Path) -> None:
    """Makes the folder; raises ``UsageError`` where it cannot be had, before the work is done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(f"{out} cannot be made a folder: {failure.strerror}.") from failure
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"{out} cannot be written to.")


def claim(out: Path) -> Files:
    """Makes the folder of one result, and gives the files of an earlier one in it.

    Raises ``UsageError`` where it cannot be had, or holds anything else.
    """
    earlier = _result(out, out, submission=False)
    prepare_out(out)
    return earlier


def claim_each(out: Path, names: Sequence[str]) -> Mapping[str, Files]:
    """Like ``claim``, for a folder of several results with what was graded beside each."""
    for entry in _entries(out):
        if entry.name not in names or not entry.is_dir(follow_symlinks=False):
            raise _foreign(out, Path(entry.path))
    earlier = {name: _result(out, out / name, submission=True) for name in names}
    prepare_out(out)
    return earlier


def claim_beside(out: Path, evidence: Path) -> Files:
    """Like ``claim``, for reports only: those of this same evidence are not replaced.

    Raises ``UsageError`` for the result of another grading too: reports can be made again, a
    grading's evidence cannot.
    """
    earlier = _result(out, out, submission=True)
    prepare_out(out)
    kept = out / EVIDENCE
    if kept not in earlier:
        return earlier
    if kept.read_bytes() != evidence.read_bytes():
        raise UsageError(f"{out} holds the result of another grading: name another folder.")
    return frozenset()


def claim_calibration(out: Path) -> None:
    """Makes the folder of a calibration, or takes over that of an earlier one.

    Raises ``UsageError`` where it cannot be had, or holds anything else.
    """
    for entry in _entries(out):
        ours = _is_ours(entry, [CELLS, PAGE])
        if not ours and not (entry.name == CELL_EVIDENCE and entry.is_dir(follow_symlinks=False)):
            raise _foreign(out, Path(entry.path))
    for entry in _entries(out / CELL_EVIDENCE):
        if not (entry.is_file(follow_symlinks=False) and entry.name.endswith((".json", ".part"))):
            raise _foreign(out, Path(entry.path))
    prepare_out(out)


def draft(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(f".{path.name}.part")


def discard(files: Iterable[Path], out: Path) -> None:
    """Removes files of an earlier result under ``out``, and folders that this leaves empty."""
    folders: set[Path] = set()
    for path in files:
        path.unlink(missing_ok=True)
        folders.update(one for one in path.parents if one.is_relative_to(out) and one != out)
    for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):  # it holds something yet
            folder.rmdir()


def _result(out: Path, folder: Path, *, submission: bool) -> Files:
    """The files of an earlier result in ``folder``; raises ``UsageError`` for any other."""
    found: set[Path] = set()
    for entry in _entries(folder):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            whole = submission and entry.name == SUBMISSION
            found |= _graded(out, path) if whole else _reports(out, path)
        elif _is_ours(entry, [EVIDENCE]) and (entry.name != EVIDENCE or _is_evidence(path)):
            found.add(path)
        else:
            raise _foreign(out, path)
    return frozenset(found)


def _reports(out: Path, folder: Path) -> set[Path]:
    entries = _entries(folder)
    for entry in entries:
        if not _is_ours(entry, REPORTS):
            raise _foreign(out, Path(entry.path))
    found = {Path(entry.path) for entry in entries}
    finished = found & {folder / name for name in REPORTS}
    if finished and _json(folder / REPORTS[0]).get("role") != folder.name:
        raise _foreign(out, folder)
    return found


def _graded(out: Path, folder: Path) -> set[Path]:
    """The files of a submission that is still what the evidence beside it was gathered on."""
    from exercises.tree import read_tree
    from harness.submission import digest

    if not _entries(folder):
        return set()
    facts = _json(folder.parent / EVIDENCE).get("submission")
    if not isinstance(facts, dict):
        raise _foreign(out, folder)
    try:
        tree = read_tree(folder)
    except (OSError, ValueError):
        raise _foreign(out, folder) from None
    if digest(tree) != facts.get("digest"):
        raise _foreign(out, folder)
    return {folder / path for path in tree}


def _is_ours(entry: os.DirEntry[str], names: Sequence[str]) -> bool:
    """Whether it is a plain file of one of these names, or its draft."""
    known = {*names, *(draft(Path(name)).name for name in names)}
    return entry.name in known and entry.is_file(follow_symlinks=False)


def _is_evidence(path: Path) -> bool:
    return {"schema", "exercise", "verdicts"} <= _json(path).keys()


def _json(path: Path) -> dict[str, Any]:
    """The object in a file, or an empty one where there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds; nothing, where there is no such folder yet."""
    if not folder.is_dir():
        return []
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as failure:
        raise UsageError(f"{folder} cannot be read: {failure.strerror}.") from failure


def _foreign(out: Path, path: Path) -> UsageError:
    return UsageError(
        f"{out} holds {str(path.relative_to(out))!r}, which is not as assay left it: "
        "move it away, or name a new or an empty folder with --out."
    )
