"""Which comment of a review is about which flaw: by place *and* issue, never by line alone.

A comment is about a flaw where it stands in a hunk of its change, or else in a function that the
change is in, and its category is one that the flaw rightly has. Each comment is about one flaw at
most and each flaw is found by one comment, so that one sentence does not earn two flaws and ten do
not earn one ten times: what is left of a flaw's comments repeats it. As many flaws are found as can
be, the gravest first (a maximum matching by augmenting paths, Kuhn 1955).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from checks.reviewed import Comment, Planted
from exercises.categories import categories


class Outcome(StrEnum):
    """What a comment came to.

    ``found`` a flaw; ``repeated`` what another comment found; ``remark``: of a kind that no flaw
    is; ``open``: about nothing that was planted, which makes it not wrong but a person's to judge.
    """

    FOUND = "found"
    REPEATED = "repeated"
    REMARK = "remark"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Match:
    """A comment's outcome; ``flaw`` is the one found or repeated.

    Of an ``open`` comment ``near`` is the flaw at whose place it stands, seen as something else.
    """

    comment: Comment
    outcome: Outcome
    flaw: str = ""
    near: str = ""


#: How well a comment's place fits a flaw: in its hunk, or in its function alone.
_HUNK, _FUNCTION, _ELSEWHERE = 2, 1, 0

_GRAVEST = ("critical", "high", "medium", "low")


def match(comments: Sequence[Comment], planted: Sequence[Planted]) -> tuple[Match, ...]:
    """Each comment's outcome, in the order of the comments."""
    fits = [_about(comment, planted) for comment in comments]
    about = {
        flaw.flaw: [number for number, flaws in enumerate(fits) if flaw.flaw in flaws]
        for flaw in sorted(planted, key=lambda one: _GRAVEST.index(one.severity))
    }
    finder = _assigned(about)
    finds = {place: flaw for flaw, place in finder.items()}
    return tuple(
        _outcome(place, comment, about, finds, planted) for place, comment in enumerate(comments)
    )


def place_of(comment: Comment, flaw: Planted) -> int:
    """How well a comment's place fits a flaw."""
    if any(hunk.meets(comment) for hunk in flaw.hunks):
        return _HUNK
    return _FUNCTION if any(one.meets(comment) for one in flaw.functions) else _ELSEWHERE


def _about(comment: Comment, planted: Sequence[Planted]) -> frozenset[str]:
    """The flaws that a comment can be about: those of its hunk, or else those of its function."""
    fits = {
        one.flaw: place_of(comment, one) for one in planted if comment.category in one.categories
    }
    best = max(fits.values(), default=_ELSEWHERE)
    return frozenset(flaw for flaw, fit in fits.items() if fit == best != _ELSEWHERE)


def _assigned(about: dict[str, list[int]]) -> dict[str, int]:
    """A comment for each flaw that any is about, so that as many flaws as can be have one."""
    holder: dict[int, str] = {}

    def assign(flaw: str, tried: set[int]) -> bool:
        for number in about[flaw]:
            if number in tried:
                continue
            tried.add(number)
            if number not in holder or assign(holder[number], tried):
                holder[number] = flaw
                return True
        return False

    for flaw in about:
        assign(flaw, set())
    return {flaw: number for number, flaw in holder.items()}


def _outcome(
    number: int,
    comment: Comment,
    about: dict[str, list[int]],
    finds: dict[int, str],
    planted: Sequence[Planted],
) -> Match:
    if number in finds:
        return Match(comment, Outcome.FOUND, finds[number])
    repeated = next((flaw for flaw, numbers in about.items() if number in numbers), "")
    if repeated:
        return Match(comment, Outcome.REPEATED, repeated)
    kind = categories().get(comment.category)
    if kind is None or not (kind.cwe or kind.competencies):
        return Match(comment, Outcome.REMARK)
    near = max(planted, key=lambda flaw: place_of(comment, flaw), default=None)
    beside = near.flaw if near is not None and place_of(comment, near) else ""
    return Match(comment, Outcome.OPEN, near=beside)
