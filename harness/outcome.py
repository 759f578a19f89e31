"""What a grading leaves behind: files under ``--out``, and a summary on the screen."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from checks.evidence import Evidence
from harness.results import EVIDENCE, REPORTS, Files, draft
from reports.html import render_html
from reports.markdown import render_markdown
from reports.terminal import summary
from scoring.scorecard import Scorecard


def write_result(evidence: Evidence, scorecards: Sequence[Scorecard], out: Path) -> Files:
    """Writes ``evidence.json`` and the reports, and gives every file that it wrote."""
    out.mkdir(parents=True, exist_ok=True)
    kept = _write(out / EVIDENCE, evidence.to_json() + "\n")
    return write_reports(evidence, scorecards, out) | {kept}


def write_reports(evidence: Evidence, scorecards: Sequence[Scorecard], out: Path) -> Files:
    """Writes ``ROLE/scorecard.json``, ``ROLE/report.html`` and ``ROLE/report.md``."""
    written: set[Path] = set()
    for scorecard in scorecards:
        folder = out / scorecard.role
        folder.mkdir(parents=True, exist_ok=True)
        texts = (
            scorecard.to_json() + "\n",
            render_html(evidence, scorecard),
            render_markdown(evidence, scorecard),
        )
        written |= {_write(folder / name, text) for name, text in zip(REPORTS, texts, strict=True)}
    return frozenset(written)


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


def _write(path: Path, text: str) -> Path:
    """Writes a file whole or not at all: whoever reads it never finds a half."""
    draft(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    return draft(path).replace(path)
