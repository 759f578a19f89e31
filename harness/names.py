"""Ids that a person types: what a mistyped one was most likely meant to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Literal

from harness.errors import UsageError

Kind = Literal["exercise", "flaw", "role"]
Given = str | list[str] | None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of the known names that is spelt most like this one, if any is at all like it."""
    return next(iter(get_close_matches(name, sorted(known), n=1)), None)


def no_such(what: str, name: str, meant: str | None, otherwise: str = "") -> str:
    """The sentence for a name that nothing has; ``otherwise`` ends it if none is spelt like it."""
    return f"There is no {what} {name!r}; " + (f"did you mean {meant!r}?" if meant else otherwise)


def spelt(kind: Kind) -> Callable[[Given], Given]:
    """What checks the spelling of an option's or an argument's ids as they are read.

    It raises ``UsageError`` for one that is nearly another. An id like no other passes: whoever
    looks it up says what there is.
    """

    def check(given: Given) -> Given:
        names = [given] if isinstance(given, str) else given or []
        known = ids(kind) if names else ()
        for name in names:
            meant = None if name in known else nearest(name, known)
            if meant is not None:
                raise UsageError(no_such(kind, name, meant))
        return given

    return check


def ids(kind: Kind) -> tuple[str, ...]:
    """The ids that there are of a kind; nothing but their names is read."""
    if kind == "exercise":
        from exercises.exercise import exercise_ids

        return exercise_ids()
    if kind == "role":
        from scoring.role import role_ids

        return role_ids()
    from exercises import places

    return tuple(sorted(path.parent.name for path in places.FLAWS.glob("*/flaw.toml")))
