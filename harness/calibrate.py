"""``assay calibrate``: the grader's own errors, measured on flaws, fixes and decoys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.catalogue import catalogue
from checks.evidence import CheckVerdict, Verdict
from checks.testbed.errors import SubmissionError, TestbedError
from checks.testbed.testbed import Host
from exercises.bank import load_bank
from exercises.patches import PatchError
from harness.cells import Folder
from harness.errors import DONE, FOUND, UsageError
from harness.facts import agree
from harness.fingerprint import fingerprint
from harness.loop import run
from harness.matrix import Cell, Mode, Planned, Totals, certainty, judge, outcome, plan
from harness.progress import Progress
from harness.session import checking, fresh_seed, prepared, session
from harness.sheet import sheet
from harness.trials import Trial, each_alone, in_bundles
from reports.calibration import render_calibration
from scoring.competencies import competencies

#: Trials under way at a time: while one starts its service, another's checks wait for theirs.
AT_ONCE = 3

#: How cells are tried unless told otherwise.
MODES: tuple[Mode, ...] = ("alone", "bundled")


@dataclass(slots=True)
class _Run:
    """One calibration: the cells done so far."""

    total: int
    folder: Folder
    progress: Progress
    cells: list[Cell] = field(default_factory=list)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def done(self, cells: Sequence[Cell], verdicts: Sequence[CheckVerdict]) -> None:
        """Notes what a trial came to, says so, and keeps it."""
        self.folder.keep(cells, verdicts)
        self.note(cells)

    def note(self, cells: Sequence[Cell], *, kept: bool = False) -> None:
        """Notes the cells of a trial; ``kept`` from an earlier run."""
        for cell in cells:
            self.cells.append(cell)
            line = Text(f"{len(self.cells):>4}/{self.total}  {cell.mode:7}  {cell.flaw}  ")
            line.append(f"{cell.variant}  ")
            right = cell.outcome == "right"
            line.append(str(cell.verdict), "green" if right else "bold red")
            line.append("  kept" if kept else f"  {cell.seconds:.1f} s", "dim")
            if not right:
                line.append(f"\n           {cell.outcome.replace('_', ' ')}: {cell.because}"[:600])
            self.progress.line(line)


def calibrate(
    names: Sequence[str],
    repeat: int,
    out: Path | None,
    *,
    modes: Sequence[str] = MODES,
    variants: Sequence[str] = (),
) -> int:
    """Runs the matrix, and writes its page into ``out``; status 1 unless every cell is right."""
    ways = _ways(modes)
    bank = load_bank(only=names or None)
    agree(bank, catalogue(), competencies())
    folder = Folder(out)
    planned = _chosen(plan(list(bank.flaws.values()), repeat), variants)
    trials = trials_of(planned, ways)
    began = time.monotonic()
    with Progress() as progress:
        calibration = _Run(sum(len(one.cells) for one in trials), folder, progress)
        cells = run(_run_all(calibration, trials))
    seconds = time.monotonic() - began
    page = folder.publish(render_calibration(sheet(bank, cells, seconds, folder)))
    _print(cells, seconds, page)
    return DONE if Totals.of(cells).clean else FOUND


def trials_of(planned: Sequence[Planned], modes: Sequence[Mode]) -> list[Trial]:
    """The trials of a plan, in each of these modes."""
    found: list[Trial] = []
    for mode in modes:
        found += in_bundles(planned) if mode == "bundled" else each_alone(planned, mode)
    return found


def _ways(names: Sequence[str]) -> list[Mode]:
    """Each way of trying a cell once; raises ``UsageError`` for an unknown one."""
    known: tuple[Mode, ...] = get_args(Mode)
    if not set(names) <= set(known):
        raise UsageError(f"--mode takes {', '.join(known[:-1])} or {known[-1]}.")
    return [one for one in known if one in names]


def _chosen(planned: Sequence[Planned], variants: Sequence[str]) -> list[Planned]:
    """The cells of some variants, named as cells are; raises ``UsageError`` for an unknown one."""
    known = sorted({one.label for one in planned})
    for name in variants:
        if name not in known:
            raise UsageError(f"There is no variant {name}; there are: {', '.join(known)}.")
    return [one for one in planned if not variants or one.label in variants]


async def _run_all(calibration: _Run, trials: Sequence[Trial]) -> list[Cell]:
    with calibration.progress.stage("calibrating"):
        async with Host.open(trusted=True) as host, asyncio.TaskGroup() as group:
            for trial in trials:
                group.create_task(_run_trial(calibration, host, trial))
    places = [(one.mode, *cell.place) for one in trials for cell in one.cells]
    order = {place: number for number, place in enumerate(places)}
    return sorted(calibration.cells, key=lambda one: order[one.place])


@dataclass(slots=True)
class _Attempt:
    """A trial under way; ``failed`` says why there was nothing to judge."""

    trial: Trial
    seed: int = field(default_factory=fresh_seed)
    key: str = ""
    verdicts: list[CheckVerdict] = field(default_factory=list)
    failed: tuple[Verdict, str] | None = None

    def cells(self) -> list[Cell]:
        """What it came to."""
        return [self._cell(planned) for planned in self.trial.cells]

    def _cell(self, planned: Planned) -> Cell:
        verdict, because = self.failed or judge(planned, self.verdicts, self.trial.breaks)
        flaw, variant, repeat = planned.place
        return Cell(
            mode=self.trial.mode,
            flaw=flaw,
            variant=variant,
            expected=planned.expected,
            verdict=verdict,
            repeat=repeat,
            seconds=round(sum(one.seconds for one in self.verdicts if one.flaw == flaw), 2),
            seed=self.seed,
            outcome=outcome(planned.expected, verdict),
            because=because,
            key=self.key,
        )


async def _run_trial(calibration: _Run, host: Host, trial: Trial) -> None:
    """Run a trial; a bundle that comes out wrong is halved, to tell variants that do not get along
    in one tree from one that is wrong by itself.
    """
    async with calibration.room:
        attempt = _Attempt(trial)
        try:
            tree = trial.tree()
            attempt.key = await asyncio.to_thread(fingerprint, tree, trial.checks)
            if kept := calibration.folder.known(trial, attempt.key):
                calibration.note(kept, kept=True)
                return
            async with (
                checking(trial.checks, attempt.seed) as check,
                prepared(host, tree) as submission,
                session(submission) as running,
            ):
                attempt.verdicts = [one async for one in check(running)]
        except SubmissionError as failure:
            logs = "\n".join(log.text[-400:] for log in failure.logs)
            attempt.failed = Verdict.BROKEN, f"{failure}\n{logs}".strip()
        except (TestbedError, PatchError, OSError) as failure:
            attempt.failed = Verdict.ERROR, f"{type(failure).__name__}: {failure}"
    cells = attempt.cells()
    if len(cells) > 1 and trial.mode == "bundled" and not Totals.of(cells).clean:
        await asyncio.gather(*(_run_trial(calibration, host, half) for half in trial.halves()))
    else:
        calibration.done(cells, attempt.verdicts)


def _print(cells: Sequence[Cell], seconds: float, page: Path | None) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("flaw", no_wrap=True)
    for name in Totals.model_fields:
        table.add_column(name.replace("_", "\n"), justify="right")
    for flaw in dict.fromkeys(cell.flaw for cell in cells):
        table.add_row(flaw, *_counts([cell for cell in cells if cell.flaw == flaw]))
    table.add_section()
    for mode in dict.fromkeys(cell.mode for cell in cells):
        of_mode = [cell for cell in cells if cell.mode == mode]
        table.add_row(Text(f"all, {mode}", "bold"), *_counts(of_mode))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"\n{len(cells)} cells in {seconds:.0f} s.\n{certainty(cells)}")
    if page is not None:
        console.print(f"The page: {page}")


def _counts(cells: Sequence[Cell]) -> list[Text]:
    counts = Totals.of(cells).model_dump()
    return [
        Text(str(count), "bold red" if count and name != "cells" else "")
        for name, count in counts.items()
    ]
