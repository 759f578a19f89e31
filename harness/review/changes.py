"""The files that a branch changes, and which of their lines: git's difference, read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from checks.reviewed import Side
from harness.review.objects import Objects

#: Bytes of a file beyond which it is not shown.
LARGEST = 1_000_000

_RAW = re.compile(rb":(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([A-Z])\d*")
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_LINK, _MODULE = b"120000", b"160000"
_COMMAND = (
    *("diff-tree", "-r", "-z", "--find-renames", "--histogram", "--patch-with-raw", "--unified=0"),
    *("--full-index", "--no-color", "--no-ext-diff", "--no-textconv"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A file on one side: its path, and its lines without their ends.

    ``ended`` is whether its last line has an end.
    """

    path: str
    lines: tuple[str, ...]
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of the old file after ``old`` up to ``old_end``, replaced by ``new`` to ``new_end``."""

    old: int
    old_end: int
    new: int
    new_end: int


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a branch does to one file; a side without the file is ``None``.

    ``notes`` say what lines cannot: that it was renamed, or why none are shown.
    """

    number: int
    old: Text | None
    new: Text | None
    edits: tuple[Edit, ...]
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it is, or where it was if it is gone."""
        side = self.new or self.old
        return side.path if side else ""

    @property
    def added(self) -> int:
        """How many lines are new."""
        return sum(edit.new_end - edit.new for edit in self.edits)

    @property
    def removed(self) -> int:
        """How many lines are gone."""
        return sum(edit.old_end - edit.old for edit in self.edits)

    def side(self, side: Side) -> Text | None:
        """The file before (``old``) or after (``new``) the change."""
        return self.old if side == "old" else self.new


@dataclass(frozen=True, slots=True)
class _Raw:
    """A record of git's raw difference."""

    modes: tuple[bytes, bytes]
    blobs: tuple[str, str]
    status: str
    paths: tuple[str, str]

    @property
    def place(self) -> tuple[str, str]:
        """Its folder, and its path."""
        return self.paths[1].rpartition("/")[0], self.paths[1]


def changes_between(objects: Objects, base: str, head: str) -> tuple[FileChange, ...]:
    """What leads from one commit to another, folder by folder; raises ``UnreadableError``."""
    raw, _, patch = objects.ask(*_COMMAND, base, head).partition(b"\0\0")
    records = list(_records(raw))
    hunks = _hunks(patch, [2 if one.status == "T" else 1 for one in records])
    contents = objects.contents(sorted({blob for one in records for blob in one.blobs}))
    ordered = sorted(zip(records, hunks, strict=True), key=lambda one: one[0].place)
    return tuple(
        _change(number, record, contents, *edits) for number, (record, edits) in enumerate(ordered)
    )


def _records(raw: bytes) -> Iterator[_Raw]:
    fields = iter(raw.split(b"\0"))
    for field in fields:
        found = _RAW.fullmatch(field)
        if found is None:
            continue
        status = found[5].decode()
        first = next(fields)
        second = next(fields) if status in "RC" else first
        yield _Raw(
            (found[1], found[2]),
            (found[3].decode(), found[4].decode()),
            status,
            (first.decode("utf-8", "replace"), second.decode("utf-8", "replace")),
        )


def _hunks(patch: bytes, parts: list[int]) -> Iterator[tuple[tuple[Edit, ...], bool]]:
    """The edits of each file, and whether git holds it for binary.

    ``parts`` says in how many pieces git writes each file: two, where one becomes a link.
    """
    lines = patch.split(b"\n")
    pieces: list[tuple[list[Edit], bool]] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith(b"diff --git "):
            pieces.append(([], False))
        elif line.startswith(b"Binary files "):
            pieces[-1] = (pieces[-1][0], True)
        elif found := _HUNK.match(line):
            old, gone, new, come = (1 if one is None else int(one) for one in found.groups())
            # Of what is empty git names the line before it, of anything else its first line.
            start, put = old - (gone > 0), new - (come > 0)
            pieces[-1][0].append(Edit(start, start + gone, put, put + come))
            at += gone + come  # the lines themselves are read from the files
    for count in parts:
        mine, pieces = pieces[:count], pieces[count:]
        edits = tuple(mine[0][0]) if count == 1 else ()
        yield edits, any(binary for _, binary in mine)


def _change(
    number: int,
    record: _Raw,
    contents: dict[str, bytes],
    edits: tuple[Edit, ...],
    binary: bool,
) -> FileChange:
    notes = list(_about(record))
    if binary:
        notes.append("It is no text: its lines are not shown.")
    elif any(len(contents.get(blob, b"")) > LARGEST for blob in record.blobs):
        notes.append("It is too large to be shown.")
    elif record.status != "T" and _MODULE not in record.modes:
        old, new = (
            _text(path, contents[blob]) if blob in contents else None
            for path, blob in zip(record.paths, record.blobs, strict=True)
        )
        return FileChange(number, old, new, edits, tuple(notes))
    before = None if record.status == "A" else Text(record.paths[0], ())
    after = None if record.status == "D" else Text(record.paths[1], ())
    return FileChange(number, before, after, (), tuple(notes))


def _about(record: _Raw) -> Iterator[str]:
    old, new = record.modes
    if record.status == "R":
        yield f"Renamed from {record.paths[0]}."
    if record.status in "AD":
        yield "This file is new." if record.status == "A" else "This file is deleted."
    elif record.status == "T":
        yield "It becomes a link, or ceases to be one."
    elif _MODULE not in (old, new) and old != new:
        yield "It can be executed now." if new.endswith(b"755") else "It can no longer be executed."
    if _MODULE in (old, new):
        yield "It is another repository, at another commit."
    if _LINK in (old, new) and record.status != "T":
        yield "It is a link, to what is shown."


def _text(path: str, data: bytes) -> Text:
    lines = data.decode("utf-8", "replace").split("\n")
    ended = lines[-1] == ""
    return Text(path, tuple(lines[:-1] if ended else lines), ended)
