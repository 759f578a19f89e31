"""The lines of the changed files in colour; a file is coloured once, when it is first asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from markupsafe import Markup

from harness.review.changes import FileChange, Text
from reports.colour import code_lines

#: Names, punctuation and white space have no colour of their own, and are most of a file.
_COLOURLESS = re.compile(r'<span class="t-(?:n|p|w)">([^<]*)</span>')


@dataclass(frozen=True, slots=True)
class Coloured:
    """The lines of both sides of a file as HTML, made visible and escaped.

    Of the old side there are none where none is gone: the rest is shown as it is now. ``plain``
    says that they are without colour as yet.
    """

    old: Sequence[Markup]
    new: Sequence[Markup]
    plain: bool = False


class Colours:
    """Any thread may ask."""

    def __init__(self) -> None:
        self._made: dict[int, Coloured] = {}
        self._turn = Lock()

    def of(self, change: FileChange) -> Coloured:
        """A file in colour, which takes a while at first: milliseconds for each hundred lines."""
        with self._turn:
            if change.number not in self._made:
                old, new = (_coloured(text) for text in _shown(change))
                self._made[change.number] = Coloured(old, new)
            return self._made[change.number]

    def at_once(self, change: FileChange) -> Coloured:
        """A file in colour if it has been coloured, or else plain."""
        made = self._made.get(change.number)
        if made is not None:
            return made
        old, new = (code_lines(list(text.lines), "") if text else () for text in _shown(change))
        return Coloured(old, new, plain=True)


def _shown(change: FileChange) -> tuple[Text | None, Text | None]:
    return (change.old if change.removed else None), change.new


def _coloured(text: Text | None) -> Sequence[Markup]:
    if text is None:
        return ()
    lines = code_lines(list(text.lines), text.path)
    return [Markup(_COLOURLESS.sub(r"\1", line)) for line in lines]  # noqa: S704 - it was before
