"""Unified diffs read into files and lines, coloured by the language of each file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from reports.colour import code_lines
from reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

#: Lines shown of one file's difference, and of all files together.
LONGEST_FILE = 600
LONGEST_ALL = 4_000

#: From so many lines on, a file's difference is shown collapsed.
COLLAPSED_FROM = 60

LineKind = Literal["same", "added", "removed", "hunk", "note"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line; ``before`` and ``after`` are its numbers in the two versions."""

    kind: LineKind
    html: Markup
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class FileDifference:
    """What changed in one file; ``hidden`` counts the lines that are not shown."""

    path: str
    added: int
    removed: int
    lines: tuple[Line, ...]
    hidden: int

    @property
    def collapsed(self) -> bool:
        """Whether it is too long to stand open."""
        return len(self.lines) >= COLLAPSED_FROM


_HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@(.*)", re.DOTALL)


@lru_cache(maxsize=64)
def files(diff: str) -> tuple[FileDifference, ...]:
    """The files of a unified diff, in its order; never raises."""
    left = LONGEST_ALL
    found: list[FileDifference] = []
    for path, raw in _split(diff):
        shown = raw[: max(0, min(LONGEST_FILE, left))]
        left -= len(shown)
        found.append(
            FileDifference(
                path=visible(path, 300),
                added=sum(line.startswith("+") for line in raw),
                removed=sum(line.startswith("-") for line in raw),
                lines=tuple(_lines(shown, path)),
                hidden=len(raw) - len(shown),
            )
        )
    return tuple(found)


def _split(diff: str) -> Iterator[tuple[str, list[str]]]:
    """For each file, its path and the lines of its hunks."""
    path, lines, in_hunk = "", list[str](), False
    old = new = 0
    for line in diff.removesuffix("\n").split("\n"):
        hunk = _HUNK.match(line)
        git = line.startswith("diff --git ")
        if in_hunk and (old > 0 or new > 0) and not hunk and not git:
            lines.append(line)
            old -= line[:1] in (" ", "-", "")
            new -= line[:1] in (" ", "+", "")
            continue
        if git or (line.startswith("--- ") and in_hunk):
            if path or lines:
                yield path, lines
            path, lines, in_hunk = _git_path(line), [], False
        elif line.startswith("+++ ") or (line.startswith("--- ") and not path):
            name = line[4:].split("\t")[0]
            if name != "/dev/null":
                path = re.sub(r"^[ab]/", "", name)
        elif hunk:
            lines.append(line)
            in_hunk, (old, new) = True, _lengths(line)
        elif line.startswith(("Binary files ", "rename ", "new file", "deleted file", "\\ No")):
            lines.append("\\ " + line.removeprefix("\\ "))
    if path or lines:
        yield path, lines


def _git_path(line: str) -> str:
    return line.rpartition(" b/")[2] if line.startswith("diff --git ") else ""


def _lengths(hunk: str) -> tuple[int, int]:
    found = re.match(r"@@ -\d+(?:,(\d{1,9}))? \+\d+(?:,(\d{1,9}))? @@", hunk)
    if found is None:
        return 0, 0
    return int(found.group(1) or 1), int(found.group(2) or 1)


def _lines(raw: list[str], path: str) -> Iterator[Line]:
    kinds = [_kind(line) for line in raw]
    plain = [line[1:] if kind != "hunk" else "" for line, kind in zip(raw, kinds, strict=True)]
    html = code_lines(plain, path)
    before = after = 0
    for line, kind, coloured in zip(raw, kinds, html, strict=True):
        if kind == "hunk":
            found = _HUNK.match(line)
            before, after = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
            context = found.group(3).strip() if found else ""
            yield Line("hunk", code_lines([context], path)[0], None, None)
        elif kind == "note":
            yield Line(kind, coloured, None, None)
        else:
            yield Line(
                kind,
                coloured,
                before if kind != "added" else None,
                after if kind != "removed" else None,
            )
            before += kind != "added"
            after += kind != "removed"


def _kind(line: str) -> LineKind:
    kinds: dict[str, LineKind] = {"+": "added", "-": "removed", "\\": "note"}
    return "hunk" if _HUNK.match(line) else kinds.get(line[:1], "same")
