"""A pull request to be reviewed: the reference, and a branch with flaws and harmless changes.

What a review is held against is where the flaws stand in it. A flaw's places are computed, in the
branch by what would be gone without it, and in the base by the lines that its patch takes away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from exercises.bank import Flaw, Variant
from exercises.categories import categories_of
from exercises.hints import places
from exercises.patches import Patch
from exercises.source import Source
from exercises.tree import Tree, compose

Side = Literal["old", "new"]

#: Lines around a change that a diff shows with it: a comment there is about the change.
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Region:
    """Lines ``first`` to ``last`` of a file, before (``old``) or after (``new``) the change."""

    path: str
    side: Side
    first: int
    last: int

    def meets(self, path: str, side: Side, first: int, last: int) -> bool:
        """Whether these lines of a file are, in part, within it."""
        return (path, side) == (self.path, self.side) and first <= self.last and self.first <= last


@dataclass(frozen=True, slots=True)
class Planted:
    """A flaw in a pull request: what it is, and where a comment on it may stand.

    ``hunks`` are the changed lines with their context, ``functions`` those that the change is in.
    """

    flaw: str
    title: str
    severity: Literal["critical", "high", "medium", "low"]
    categories: tuple[str, ...]
    hunks: tuple[Region, ...]
    functions: tuple[Region, ...]


def planted(
    flaws: Sequence[tuple[Flaw, Variant]], harmless: Sequence[Patch], base: Tree
) -> tuple[Planted, ...]:
    """Where each of these flaws stands in the branch that all of them and the rest make up."""
    patches = {flaw.id: variant.patch() for flaw, variant in flaws}
    head = compose(base, [*patches.values(), *harmless])
    found = []
    for flaw, _ in flaws:
        others = [patch for id_, patch in patches.items() if id_ != flaw.id]
        without = compose(base, [*others, *harmless])
        regions = [*_new(head, without), *_old(patches[flaw.id], base)]
        found.append(
            Planted(
                flaw=flaw.id,
                title=flaw.title,
                severity=flaw.severity,
                categories=categories_of(flaw.cwe, flaw.competencies),
                hunks=tuple(hunk for hunk, _ in regions),
                functions=tuple(dict.fromkeys(one for _, one in regions if one is not None)),
            )
        )
    return tuple(found)


def _new(head: Tree, without: Tree) -> Iterator[tuple[Region, Region | None]]:
    """Of a file that is the flaw's own the whole is its place: one may comment at its head."""
    for place in places(head, without):
        source = Source.of(place.path, head)
        if place.path in without:
            yield _regions(place.path, "new", place.first, place.last, source)
        else:
            yield _regions(place.path, "new", 1, len(source.lines), source)


def _old(patch: Patch, base: Tree) -> Iterator[tuple[Region, Region | None]]:
    """The lines that a patch takes away, or puts something between."""
    for change in patch.changes:
        if change.old is None:
            continue
        source = Source.of(change.old, base)
        for edit in change.edits(base[change.old], patch.name):
            telling = source.telling(edit.start, edit.end)
            if telling or not edit.removed:
                yield _regions(change.old, "old", edit.start + 1, edit.end, source)


def _regions(
    path: str, side: Side, first: int, last: int, source: Source
) -> tuple[Region, Region | None]:
    """A change with its context, and the function that it is in."""
    end = max(first, last)
    hunk = Region(path, side, max(1, first - CONTEXT), end + CONTEXT)
    span = source.around(min(first, len(source.lines)), min(end, len(source.lines)))
    if span is None or not span.is_function:
        return hunk, None
    return hunk, Region(path, side, span.first, span.last)
