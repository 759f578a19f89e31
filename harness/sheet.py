"""What a calibration's page shows, made of its cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from checks.evidence import Verdict
from exercises.bank import Bank, Flaw
from harness.bounds import upper_bound
from harness.cells import Folder
from harness.matrix import Cell, Planned, Totals, plan
from harness.version import versions
from reports.calibration import Bounded, Counted, Ran, Row, Sheet, Tried


def sheet(bank: Bank, cells: Sequence[Cell], seconds: float, folder: Folder) -> Sheet:
    """The page's content; ``seconds`` are those that the run took."""
    of_variant: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        of_variant[cell.flaw, cell.variant].append(cell)
    flaws = [flaw for flaw in bank.flaws.values() if any(one.flaw == flaw.id for one in cells)]
    modes = list(dict.fromkeys(cell.mode for cell in cells))
    return Sheet(
        rows=tuple(_row(flaw, of_variant, folder) for flaw in flaws),
        counts=tuple(
            Counted(mode, **Totals.of([one for one in cells if one.mode == mode]).model_dump())
            for mode in modes
        ),
        bounds=tuple(
            _bound(what, [one for one in cells if one.expected is expected])
            for what, expected in (("flawed", Verdict.VULNERABLE), ("sound", Verdict.SECURE))
        ),
        seconds=seconds,
        repeat=max((cell.repeat for cell in cells), default=0),
        command=f"assay calibrate {' '.join(f'--mode {mode}' for mode in modes)}",
        versions=versions(),
    )


def _row(flaw: Flaw, cells: dict[tuple[str, str], list[Cell]], folder: Folder) -> Row:
    tried = [
        _tried(planned, cells[flaw.id, planned.label], folder)
        for planned in plan([flaw], 1)
        if (flaw.id, planned.label) in cells
    ]
    return Row(flaw.id, flaw.title, flaw.severity, tuple(tried))


def _tried(planned: Planned, cells: Sequence[Cell], folder: Folder) -> Tried:
    kind, _, name = planned.label.partition(":")
    variant = planned.variant
    return Tried(
        kind=kind,
        name=name,
        mechanism="the reference as it is" if variant is None else variant.mechanism,
        expected=str(planned.expected),
        ran=tuple(
            _ran([one for one in cells if one.mode == mode], folder)
            for mode in dict.fromkeys(one.mode for one in cells)
        ),
        because="; ".join(one.because for one in cells if one.outcome != "right"),
    )


def _ran(cells: Sequence[Cell], folder: Folder) -> Ran:
    return Ran(
        mode=cells[0].mode,
        runs=len(cells),
        right=sum(one.outcome == "right" for one in cells),
        seconds=sum(one.seconds for one in cells) / len(cells),
        evidence=tuple(folder.evidence(one) for one in cells),
    )


def _bound(what: str, cells: Sequence[Cell]) -> Bounded:
    wrong = sum(one.outcome != "right" for one in cells)
    return Bounded(what, wrong, len(cells), upper_bound(wrong, len(cells)))
