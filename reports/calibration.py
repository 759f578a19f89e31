"""The page of a calibration: how often the grader was wrong, and on what.

One file that opens from disk, beside the evidence that it links to; it reads without JavaScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.html import page


@dataclass(frozen=True, slots=True)
class Ran:
    """A variant as it was tried in one way: how often, how often rightly, and where to look."""

    mode: str
    runs: int
    right: int
    seconds: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant with all that came of it; ``because`` says why it came out wrong, if it did."""

    kind: str
    name: str
    mechanism: str
    expected: str
    ran: tuple[Ran, ...]
    because: str = ""

    @property
    def right(self) -> bool:
        """Whether it came out as expected each time."""
        return all(one.right == one.runs for one in self.ran)


@dataclass(frozen=True, slots=True)
class Row:
    """A flaw, and its variants in the order of the bank."""

    id: str
    title: str
    severity: str
    tried: tuple[Tried, ...]

    @property
    def right(self) -> bool:
        """Whether all of them came out as expected."""
        return all(one.right for one in self.tried)

    def of_kind(self, kind: str) -> tuple[Tried, ...]:
        """Those of one kind."""
        return tuple(one for one in self.tried if one.kind == kind)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many cells came out how, in one way of trying them."""

    mode: str
    cells: int
    false_accept: int
    false_reject: int
    wrong: int
    inconclusive: int
    error: int


@dataclass(frozen=True, slots=True)
class Bounded:
    """What may come out wrong at most, with 95 % confidence, by what was seen."""

    what: str
    wrong: int
    cells: int
    at_most: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that the page shows. ``seconds`` are those of this run; ``kept`` cells are older."""

    rows: tuple[Row, ...]
    counts: tuple[Counted, ...]
    bounds: tuple[Bounded, ...]
    seconds: float
    repeat: int
    command: str
    versions: Mapping[str, str]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return sum(one.cells for one in self.counts)

    @property
    def amiss(self) -> int:
        """How many did not come out as expected."""
        return sum(one.wrong for one in self.bounds)


#: The kinds of variants, in the order of the table's columns, and what is expected of each.
KINDS = {
    "reference": "Sound",
    "seeded": "Seeded",
    "fix": "Fixes",
    "decoy": "Decoys",
}

#: What each way of trying a cell means.
MODES = {
    "alone": "a variant by itself, with the checks of its flaw",
    "whole": "a variant by itself, held to the whole contract",
    "bundled": "beside variants of other flaws, and all held to the whole contract",
}


def render_calibration(sheet: Sheet) -> str:
    """The page; the same for the same sheet."""
    return page("calibration.html.j2", sheet=sheet, kinds=KINDS, modes=MODES)
