"""A changed file as rows: one column (unified) or two (side by side), and what lies between.

Lines count from 1. Rows that are alike on both sides stand around each edit; the rest is a gap, to
be shown on demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from harness.review.changes import Edit, FileChange

View = Literal["unified", "split"]
Kind = Literal["same", "added", "removed", "changed"]

#: Lines around an edit that are shown with it, as ``exercises.pull_request`` has it: what that
#: imports takes longer than reading the whole pull request.
CONTEXT = 3

#: Lines of a gap that are shown at once.
STEP = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A line of either side or both.

    ``starts`` marks where one goes to see an edit: its first new line, or else its first old one.
    """

    kind: Kind
    old: int | None
    new: int | None
    starts: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """``count`` lines alike on both sides that are not shown, from lines ``old`` and ``new`` on."""

    old: int
    new: int
    count: int

    @property
    def last_old(self) -> int:
        """The last of its lines, on the old side."""
        return self.old + self.count - 1

    @property
    def last_new(self) -> int:
        """The last of its lines, on the new side."""
        return self.new + self.count - 1


def rows(change: FileChange, view: View) -> Iterator[Row | Gap]:
    """All that is to be seen of a file, in order."""
    end_old = len(change.old.lines) if change.old else 0
    end_new = len(change.new.lines) if change.new else 0
    at = Edit(0, 0, 0, 0)
    for number, edit in enumerate(change.edits):
        yield from _between(at, edit, top=number == 0)
        yield from _unified(edit) if view == "unified" else _split(edit)
        at = edit
    if change.edits:
        yield from _between(at, Edit(end_old, end_old, end_new, end_new), bottom=True)
    elif change.old and change.new and end_new:
        yield Gap(1, 1, end_new)


def alike(change: FileChange, first: int, last: int) -> list[Row]:
    """The rows of lines ``first`` to ``last`` of the new side that are alike on both."""
    return [
        Row("same", gap.old + number - gap.new, number)
        for gap in _gaps(change)
        for number in range(max(first, gap.new), min(last, gap.last_new) + 1)
    ]


def shown(gap: Gap, change: FileChange) -> tuple[bool, bool]:
    """Whether it makes sense to show more of a gap from its top, and from its bottom."""
    starts = gap.new == 1
    ends = change.new is None or gap.last_new == len(change.new.lines)
    return not starts, not ends


def _gaps(change: FileChange) -> Iterator[Gap]:
    """Whatever lies between the edits, context and all."""
    end = len(change.new.lines) if change.new else 0
    old = new = 0
    for edit in (*change.edits, None):
        until = end if edit is None else edit.new
        if until > new:
            yield Gap(old + 1, new + 1, until - new)
        if edit is not None:
            old, new = edit.old_end, edit.new_end


def _between(
    one: Edit, other: Edit, *, top: bool = False, bottom: bool = False
) -> Iterator[Row | Gap]:
    """What is alike after one edit and before another: context, and a gap if it is long."""
    count = other.new - one.new_end
    before, after = (0 if top else CONTEXT), (0 if bottom else CONTEXT)
    hidden = count - before - after
    old, new = one.old_end + 1, one.new_end + 1
    if hidden <= 1:  # a row that says so would take as much room
        before, hidden = count, 0
    for step in range(before):
        yield Row("same", old + step, new + step)
    if hidden:
        yield Gap(old + before, new + before, hidden)
    for step in range(before + hidden, count):
        yield Row("same", old + step, new + step)


def _unified(edit: Edit) -> Iterator[Row]:
    gone, come = range(edit.old + 1, edit.old_end + 1), range(edit.new + 1, edit.new_end + 1)
    for number in gone:
        yield Row("removed", number, None, starts=not come and number == gone[0])
    for number in come:
        yield Row("added", None, number, starts=number == come[0])


def _split(edit: Edit) -> Iterator[Row]:
    gone, come = range(edit.old + 1, edit.old_end + 1), range(edit.new + 1, edit.new_end + 1)
    for place, (old, new) in enumerate(zip_longest(gone, come)):
        kind: Kind = "changed" if old and new else "removed" if old else "added"
        yield Row(kind, old, new, starts=place == 0)
