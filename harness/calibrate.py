"""``assay calibrate``: the grader's own errors, measured on flaws, fixes and decoys."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.catalogue import catalogue
from checks.evidence import CheckVerdict, Verdict
from checks.testbed.errors import SubmissionError, TestbedError
from checks.testbed.testbed import Host
from exercises.bank import load_bank
from exercises.patches import PatchError
from harness.errors import DONE, FOUND, UsageError
from harness.facts import agree
from harness.loop import run
from harness.matrix import Cell, Planned, Totals, certainty, judge, outcome, plan
from harness.progress import Progress
from harness.results import claim_cells, discard
from harness.session import checking, fresh_seed, prepared, session
from harness.version import versions
from scoring.competencies import competencies

#: Cells under way at a time: while one starts its service, another's checks wait for theirs.
AT_ONCE = 3


@dataclass(slots=True)
class _Run:
    """One calibration: the cells done so far, and where evidence of wrong ones is kept."""

    total: int
    out: Path | None
    progress: Progress
    cells: list[Cell] = field(default_factory=list)
    kept: set[Path] = field(default_factory=set)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def done(self, cell: Cell, verdicts: Sequence[CheckVerdict]) -> None:
        """Notes a cell, says so, and keeps its evidence if it came out otherwise than expected."""
        self.cells.append(cell)
        line = Text(f"{len(self.cells):>4}/{self.total}  {cell.flaw}  {cell.variant}  ")
        right = cell.outcome == "right"
        line.append(str(cell.verdict), "green" if right else "bold red")
        line.append(f"  {cell.seconds:.1f} s", "dim")
        if not right:
            line.append(f"\n           {cell.outcome.replace('_', ' ')}: {cell.because}"[:600])
        self.progress.line(line)
        if self.out is not None and not right:
            path = self.out / f"{cell.flaw}--{cell.variant.replace(':', '-')}--{cell.repeat}.json"
            whole = {
                "cell": cell.model_dump(mode="json"),
                "verdicts": [one.model_dump(mode="json") for one in verdicts],
            }
            path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
            self.kept.add(path)


def calibrate(
    names: Sequence[str],
    repeat: int,
    json_file: Path | None,
    out: Path | None,
    *,
    own: bool = False,
    variants: Sequence[str] = (),
) -> int:
    """Runs the matrix; status 1 unless every cell came out as expected."""
    bank = load_bank(only=names or None)
    agree(bank, catalogue(), competencies())
    earlier = claim_cells(out) if out is not None else frozenset()
    if json_file is not None:
        _writable(json_file)
    planned = plan(list(bank.flaws.values()), repeat, own=own)
    if variants:
        planned = _chosen(planned, variants)
    began = time.monotonic()
    with Progress() as progress:
        calibration = _Run(len(planned), out, progress)
        cells = run(_run_all(calibration, planned))
    seconds = round(time.monotonic() - began, 1)
    totals = Totals.of(cells)
    if out is not None:
        discard(earlier - calibration.kept, out)
    if json_file is not None:
        _write(json_file, cells, totals, seconds)
    _print(cells, totals, seconds)
    return DONE if totals.clean else FOUND


def _chosen(planned: Sequence[Planned], variants: Sequence[str]) -> list[Planned]:
    """The cells of some variants, named as cells are; raises ``UsageError`` for an unknown one."""
    known = sorted({one.label for one in planned})
    for name in variants:
        if name not in known:
            raise UsageError(f"There is no variant {name}; there are: {', '.join(known)}.")
    return [one for one in planned if one.label in variants]


async def _run_all(calibration: _Run, planned: Sequence[Planned]) -> list[Cell]:
    with calibration.progress.stage("calibrating"):
        async with Host.open(trusted=True) as host, asyncio.TaskGroup() as group:
            for cell in planned:
                group.create_task(_run_cell(calibration, host, cell))
    order = {(one.flaw.id, one.label, one.repeat): place for place, one in enumerate(planned)}
    return sorted(calibration.cells, key=lambda one: order[one.flaw, one.variant, one.repeat])


async def _run_cell(calibration: _Run, host: Host, planned: Planned) -> None:
    async with calibration.room:
        began, seed = time.monotonic(), fresh_seed()
        verdicts: list[CheckVerdict] = []
        try:
            async with (
                checking(planned.checks, seed) as check,
                prepared(host, planned.tree()) as submission,
                session(submission) as running,
            ):
                verdicts = [one async for one in check(running)]
            verdict, because = judge(planned, verdicts)
        except SubmissionError as failure:
            logs = "\n".join(log.text[-400:] for log in failure.logs)
            verdict, because = Verdict.BROKEN, f"{failure}\n{logs}".strip()
        except (TestbedError, PatchError, OSError) as failure:
            verdict, because = Verdict.ERROR, f"{type(failure).__name__}: {failure}"
        cell = Cell(
            flaw=planned.flaw.id,
            variant=planned.label,
            expected=planned.expected,
            verdict=verdict,
            repeat=planned.repeat,
            seconds=round(time.monotonic() - began, 2),
            seed=seed,
            outcome=outcome(planned.expected, verdict),
            because=because,
        )
        calibration.done(cell, verdicts)


def _writable(path: Path) -> None:
    """Raises ``UsageError`` before an hour's work whose result could not be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {failure.strerror}.") from failure


def _write(path: Path, cells: Sequence[Cell], totals: Totals, seconds: float) -> None:
    text = json.dumps(
        {
            "cells": [cell.model_dump(mode="json") for cell in cells],
            "totals": totals.model_dump(),
            "seconds": seconds,
            "versions": versions(),
        },
        indent=1,
    )
    path.write_text(text + "\n", encoding="utf-8")


def _print(cells: Sequence[Cell], totals: Totals, seconds: float) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("flaw", no_wrap=True)
    for name in Totals.model_fields:
        table.add_column(name.replace("_", "\n"), justify="right")
    for flaw in dict.fromkeys(cell.flaw for cell in cells):
        of_flaw = Totals.of([cell for cell in cells if cell.flaw == flaw])
        table.add_row(flaw, *_counts(of_flaw))
    table.add_section()
    table.add_row(Text("all", "bold"), *_counts(totals))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"\n{totals.cells} cells in {seconds:.0f} s.\n{certainty(cells)}")


def _counts(totals: Totals) -> list[Text]:
    counts = totals.model_dump()
    return [
        Text(str(count), "bold red" if count and name != "cells" else "")
        for name, count in counts.items()
    ]
