"""Hints at a flaw, one at a time: a nudge, a direction, the functions, the very lines.

The first two are the lesson's. Where the flaw stands is computed: by what its mending changes in
the service that the candidate received.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from exercises.bank import Flaw
from exercises.source import Source, Span
from exercises.tree import Tree

#: What the lines of a place are shown with, before and after them.
CONTEXT = 2

_MISSING = "    > something is missing here"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a flaw stands: lines ``first`` to ``last`` of a file, counted from 1.

    ``within`` is the innermost function or class, if there is one. Where the mending only adds,
    ``last`` comes before ``first``, and what is missing is missing before ``first``.
    """

    path: str
    within: Span | None
    first: int
    last: int
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """File and function."""
        return f"{self.path}, {self.within.name}" if self.within else self.path

    def excerpt(self) -> str:
        """The lines with their numbers and some around them, those that matter marked ``>``."""
        start = max(1, self.first - CONTEXT)
        end = min(len(self.lines), max(self.last, self.first - 1) + CONTEXT)
        shown = []
        for number in range(start, end + 1):
            if number == self.first > self.last:
                shown.append(_MISSING)
            mark = ">" if self.first <= number <= self.last else " "
            shown.append(f"{number:5} {mark} {self.lines[number - 1]}".rstrip())
        if end < self.first > self.last:
            shown.append(_MISSING)
        return "\n".join(shown)


def places(flawed: Tree, mended: Tree) -> tuple[Place, ...]:
    """Where ``flawed`` differs from ``mended``, by path and line."""
    changed = sorted(path for path in {*flawed, *mended} if flawed.get(path) != mended.get(path))
    return tuple(place for path in changed for place in _in_file(path, flawed, mended))


def hints(flaw: Flaw, flawed: Tree, mended: Tree) -> tuple[str, ...]:
    """What can be said of a flaw, from a nudge to the line, each as Markdown."""
    found = places(flawed, mended)
    titles = dict.fromkeys(place.title for place in found)
    where = "It stands here:\n\n" + "\n".join(f"- {title}" for title in titles)
    lines = "\n\n".join(f"{place.title}:\n\n```\n{place.excerpt()}\n```" for place in found)
    return (*flaw.lesson.hints, where, lines)


def _in_file(path: str, flawed: Tree, mended: Tree) -> Iterator[Place]:
    theirs, wanted = Source.of(path, flawed), Source.of(path, mended)
    blocks = SequenceMatcher(None, theirs.lines, wanted.lines, autojunk=False).get_opcodes()
    for kind, start, end, wanted_start, wanted_end in blocks:
        if kind == "equal":
            continue
        said, missing = theirs.telling(start, end), wanted.telling(wanted_start, wanted_end)
        if said:
            yield Place(path, theirs.around(said[0], said[-1]), said[0], said[-1], theirs.lines)
        elif missing:
            before = min(start + 1, len(theirs.lines))
            yield Place(path, theirs.around(before, before), start + 1, start, theirs.lines)
