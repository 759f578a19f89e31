"""The page as HTML. Everything from the kit is made visible and escaped on its way out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from checks.evidence import Severity
from checks.reviewed import TEXT, Decision, Review
from exercises.categories import categories
from harness.review.cells import cells
from harness.review.changes import FileChange
from harness.review.colours import Coloured, Colours
from harness.review.request import Request
from harness.review.rows import STEP, Gap, Row, View, alike, rows, shown
from reports import colour
from reports.visible import visible
from reports.words import plural

TEMPLATES = Path(__file__).with_name("templates")

#: Where the reports' look lies: their style, and the signs that pages share.
LOOK = Path(colour.__file__).with_name("templates")

SEVERITIES = (*get_args(Severity), "nit")
DECISIONS = get_args(Decision)

#: Comments that a browser without JavaScript is shown.
LONGEST_LIST = 500

#: Lines that are coloured before anything is shown.
FIRST = 500

#: What a template puts out in one piece, in parts of its own making: it streams.
_PIECE = 4_000


@dataclass(frozen=True, slots=True)
class Folder:
    """Changed files that lie in one folder."""

    path: str
    changes: tuple[FileChange, ...]


class Page:
    """The page of a pull request, and the parts that it asks for later."""

    def __init__(self, request: Request, folder: Path) -> None:
        self._request = request
        self._changes = {change.number: change for change in request.changes}
        self._colours = Colours()
        self._given = {
            "request": request,
            "folders": _folders(request.changes),
            "coloured": self._colours.at_once,
            "kit": _identity(request, folder),
        }

    def prepare(self) -> None:
        """Does ahead what the first visit would wait for."""
        for _ in self.whole("unified", None):
            pass

    def whole(self, view: View, review: Review | None) -> Iterator[str]:
        """All of it, in pieces as they are made; ``review`` is ``None`` where none can be read.

        What comes first is in colour; the page asks for the rest's.
        """
        for change in self._first():
            self._colours.of(change)
        stream = (
            _environment()
            .get_template("page.html.j2")
            .stream(**self._given, view=view, review=review)
        )
        stream.enable_buffering(_PIECE)
        return iter(stream)

    def difference(self, view: View) -> Iterator[str]:
        """All changed files, in one column or two."""
        stream = _environment().get_template("files.html.j2").stream(**self._given, view=view)
        stream.enable_buffering(_PIECE)
        return iter(stream)

    def coloured(self, number: int) -> Coloured:
        """The lines of a file in colour; raises ``LookupError``."""
        return self._colours.of(self._changes[number])

    def _first(self) -> Iterator[FileChange]:
        """The files that are seen at once."""
        left = FIRST
        for change in self._request.changes:
            left -= len(change.new.lines) if change.new else 0
            if left < 0:
                return
            yield change

    def lines(self, number: int, view: View, first: int, last: int) -> str:
        """Rows of lines that a file has alike on both sides; raises ``LookupError``."""
        change = self._changes[number]
        colours = self._colours.of(change)
        return "".join(cells(row, colours, view) for row in alike(change, first, last))


def _identity(request: Request, folder: Path) -> str:
    """What tells this kit, where it lies, from any other: a browser keeps things under it."""
    named = f"{folder.resolve()}\0{request.kit.exercise}\0{request.kit.seed}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _folders(changes: Sequence[FileChange]) -> tuple[Folder, ...]:
    by_folder = groupby(changes, lambda change: change.path.rpartition("/")[0])
    return tuple(Folder(path, tuple(found)) for path, found in by_folder)


def _show(value: Any) -> Any:
    """What is printed for a value: markup and numbers as they are, all else made visible."""
    return value if isinstance(value, Markup | int) else visible(str(value))


def _is_gap(row: Row | Gap) -> bool:
    return isinstance(row, Gap)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, LOOK]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show,
    )
    environment.filters.update(markdown=colour.markdown, plural=plural)
    environment.globals.update(
        categories=categories(),
        cells=cells,
        decisions=DECISIONS,
        severities=SEVERITIES,
        longest=TEXT,
        longest_list=LONGEST_LIST,
        step=STEP,
        rows=rows,
        shown=shown,
    )
    environment.tests.update(gap=_is_gap)
    return environment
