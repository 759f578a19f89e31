"""A calibration's folder: what each cell came to, its evidence, and the page made of them.

What is there already is not run again while its fingerprint is the same, so that a calibration goes
on where it was broken off, and a change costs the cells that it concerns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from checks.evidence import CheckVerdict, Verdict
from harness.errors import UsageError
from harness.matrix import Cell
from harness.results import CELL_EVIDENCE, CELLS, PAGE, claim_calibration, draft
from harness.trials import Trial

_Cells = TypeAdapter(dict[str, Cell])


class Folder:
    """Where a calibration's cells are kept; without a place, for as long as it runs."""

    def __init__(self, out: Path | None) -> None:
        """Raises ``UsageError`` where the folder cannot be had, or what it holds cannot be read."""
        self._out = out
        self._cells: dict[str, Cell] = {}
        if out is None:
            return
        claim_calibration(out)
        if (out / CELLS).exists():
            try:
                self._cells = _Cells.validate_json((out / CELLS).read_bytes())
            except (OSError, ValidationError) as failure:
                raise UsageError(
                    f"{out / CELLS} is not as assay left it: move it away."
                ) from failure

    def known(self, trial: Trial, key: str) -> list[Cell]:
        """What a trial's cells came to, if all of them came out right under this fingerprint."""
        found = [self._cells.get(name(trial.mode, *cell.place)) for cell in trial.cells]
        kept = [one for one in found if one is not None and one.key == key]
        right = all(one.outcome == "right" for one in kept)
        return kept if right and len(kept) == len(trial.cells) else []

    def keep(self, cells: Iterable[Cell], verdicts: Sequence[CheckVerdict]) -> None:
        """Keep what a trial's cells came to, each with what its flaw's checks saw."""
        for cell in cells:
            self._cells[name(*cell.place)] = cell
            if self._out is not None:
                _write(self._out / self.evidence(cell), _evidence(cell, verdicts))
        if self._out is not None:
            _write(self._out / CELLS, _Cells.dump_json(self._cells, indent=1).decode())

    def evidence(self, cell: Cell) -> str:
        """Where a cell's evidence is, seen from the page."""
        return f"{CELL_EVIDENCE}/{name(*cell.place)}.json"

    def publish(self, page: str) -> Path | None:
        """Write the page; where it is."""
        if self._out is None:
            return None
        _write(self._out / PAGE, page)
        return self._out / PAGE


def name(mode: str, flaw: str, variant: str, repeat: int) -> str:
    """A cell's name, as a file's."""
    return f"{mode}--{flaw}--{variant.replace(':', '-')}--{repeat}"


def _evidence(cell: Cell, verdicts: Sequence[CheckVerdict]) -> str:
    """What was seen of the flaw, and whatever else came out otherwise than secure, whole."""
    shown: list[dict[str, Any]] = []
    for one in verdicts:
        if one.verdict is not Verdict.SECURE:
            shown.append(one.model_dump(mode="json"))
        elif one.flaw == cell.flaw:
            shown.append(one.model_dump(mode="json", exclude={"probes"}))
    whole = {"cell": cell.model_dump(mode="json"), "verdicts": shown}
    return json.dumps(whole, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    """All of it or nothing, whenever the run is broken off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = draft(path)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
