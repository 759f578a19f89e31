"""What calibration runs: a variant alone, or as many as can stand in one tree.

Alone, a variant is tried with its flaw's own checks. In a bundle it stands beside variants of other
flaws, and all of them are held to the whole contract: what flaws do to one another, and what they
break besides, shows there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby

from checks.catalogue import select
from exercises.bank import Flaw, Variant
from exercises.patches import Patch
from exercises.tree import ConflictError, compose, reference_tree
from harness.matrix import Mode, Planned


@dataclass(frozen=True, slots=True)
class Trial:
    """One submission, with the cells that it answers: one a flaw."""

    mode: Mode
    cells: tuple[Planned, ...]

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that it is tried with."""
        whole = self.mode != "alone"
        return select(flaws=[cell.flaw.id for cell in self.cells], contract=whole)

    @property
    def breaks(self) -> frozenset[str]:
        """The contract checks that may fail on it."""
        variants = (cell.variant for cell in self.cells)
        return frozenset(name for one in variants if one is not None for name in one.breaks)

    def halves(self) -> tuple[Trial, Trial]:
        """The same cells in two trees."""
        middle = len(self.cells) // 2
        return Trial(self.mode, self.cells[:middle]), Trial(self.mode, self.cells[middle:])

    def tree(self, track: str = "fastapi") -> dict[str, bytes]:
        """The submission; raises ``PatchError``."""
        return compose(reference_tree(track), _patches(self.cells))


def each_alone(planned: Iterable[Planned], mode: Mode) -> list[Trial]:
    """Every variant in a tree of its own; the reference once for all flaws together."""
    trials: list[Trial] = []
    for _, of_repeat in groupby(planned, key=lambda one: one.repeat):
        cells = tuple(of_repeat)
        sound = tuple(cell for cell in cells if cell.variant is None)
        trials += [Trial(mode, sound)] if sound else []
        trials += [Trial(mode, (cell,)) for cell in cells if cell.variant is not None]
    return trials


@dataclass(slots=True)
class _Bundle:
    """Cells that can stand in one tree."""

    cells: list[Planned] = field(default_factory=list)

    def takes(self, cell: Planned, base: dict[str, bytes]) -> bool:
        """Whether one more can stand beside them."""
        if any(_apart(cell, other) for other in self.cells):
            return False
        try:
            compose(base, _patches([*self.cells, cell]))
        except ConflictError:
            return False
        return True


def in_bundles(planned: Iterable[Planned], track: str = "fastapi") -> list[Trial]:
    """All variants in few trees: those of the first repeat, each in one tree.

    Sound variants stand with sound ones, and flawed with flawed: a flaw may hide another's way.
    """
    base = reference_tree(track)
    bundles: list[_Bundle] = []
    first = [cell for cell in planned if cell.repeat == 1 and cell.variant is not None]
    for cell in sorted(first, key=_size):
        place = next((one for one in bundles if one.takes(cell, base)), None)
        if place is None:
            bundles.append(place := _Bundle())
        place.cells.append(cell)
    return [Trial("bundled", tuple(one.cells)) for one in bundles]


def _apart(one: Planned, other: Planned) -> bool:
    """Whether two cells cannot share a tree, or would say too little of either there."""
    if one.flaw.id == other.flaw.id or one.expected is not other.expected:
        return True
    return _named(one.flaw, other.flaw) or _named(other.flaw, one.flaw)


def _named(one: Flaw, other: Flaw) -> bool:
    return other.id in one.exclusive or other.id in one.also_affects


@cache
def _patch(variant: Variant) -> Patch:
    return variant.patch()


def _patches(cells: Sequence[Planned]) -> list[Patch]:
    return [_patch(cell.variant) for cell in cells if cell.variant is not None]


def _size(cell: Planned) -> int:
    """The larger a patch, the fewer others stand beside it: it looks for a place first."""
    return -sum(len(patch.changes) for patch in _patches([cell]))
