"""What a grading leaves behind: files under ``--out``, and a summary on the screen."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from checks.evidence import Evidence
from harness.errors import UsageError
from reports.html import render_html
from reports.markdown import render_markdown
from reports.terminal import summary
from scoring.scorecard import Scorecard


def prepare_out(out: Path) -> None:
    """Makes the folder; raises ``UsageError`` where it cannot be had, before the work is done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(f"{out} cannot be made a folder: {failure.strerror}.") from failure
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"{out} cannot be written to.")


def write_evidence(evidence: Evidence, out: Path) -> None:
    """Writes ``evidence.json``."""
    _write(out / "evidence.json", evidence.to_json() + "\n")


def write_reports(evidence: Evidence, scorecards: Sequence[Scorecard], out: Path) -> None:
    """Writes ``ROLE/scorecard.json``, ``ROLE/report.html`` and ``ROLE/report.md``."""
    prepare_out(out)
    for scorecard in scorecards:
        folder = out / scorecard.role
        folder.mkdir(exist_ok=True)
        _write(folder / "scorecard.json", scorecard.to_json() + "\n")
        _write(folder / "report.html", render_html(evidence, scorecard))
        _write(folder / "report.md", render_markdown(evidence, scorecard))


def print_outcome(
    evidence: Evidence, scorecards: Sequence[Scorecard], out: Path | None, *, as_json: bool
) -> None:
    """The summary for a person, or the scorecards for a script."""
    if as_json:
        json.dump([json.loads(one.to_json()) for one in scorecards], sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    console = Console(highlight=False, markup=False)
    console.print(summary(evidence, scorecards))
    if out is not None:
        for scorecard in scorecards:
            console.print(f"Report: {out / scorecard.role / 'report.html'}", soft_wrap=True)


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all: whoever reads it never finds a half."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, encoding="utf-8", errors="backslashreplace")
    draft.replace(path)
