"""What a calibration leaves, and goes on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.evidence import CheckVerdict, Verdict
from exercises.bank import Bank, load_bank
from harness.cells import Folder
from harness.errors import UsageError
from harness.matrix import Cell, Outcome, plan
from harness.sheet import sheet
from harness.trials import Trial, each_alone
from reports.calibration import render_calibration


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load_bank(only=["jwt-claims"])


@pytest.fixture
def trials(bank: Bank) -> list[Trial]:
    return each_alone(plan(list(bank.flaws.values()), 1), "alone")


def cells(trial: Trial, outcome: Outcome = "right", key: str = "k") -> list[Cell]:
    return [
        Cell(
            mode=trial.mode,
            flaw=one.flaw.id,
            variant=one.label,
            expected=one.expected,
            verdict=one.expected if outcome == "right" else Verdict.BROKEN,
            repeat=one.repeat,
            seconds=1.5,
            seed=1,
            outcome=outcome,
            because="" if outcome == "right" else "<b>it broke</b>",
            key=key,
        )
        for one in trial.cells
    ]


def said(verdict: Verdict) -> CheckVerdict:
    return CheckVerdict(check="security/x", flaw="jwt-claims", verdict=verdict, summary="s")


def test_what_came_out_right_and_is_the_same_is_not_run_again(
    tmp_path: Path, trials: list[Trial]
) -> None:
    one, other, third = trials[:3]
    folder = Folder(tmp_path / "out")
    folder.keep(cells(one), [said(Verdict.SECURE)])
    folder.keep(cells(other, "wrong"), [said(Verdict.BROKEN)])
    again = Folder(tmp_path / "out")
    assert again.known(one, "k") == cells(one)
    assert again.known(one, "changed") == []
    assert again.known(other, "k") == []
    assert again.known(third, "k") == []


def test_evidence_lies_where_the_page_looks_for_it(
    tmp_path: Path, bank: Bank, trials: list[Trial]
) -> None:
    folder, found = Folder(tmp_path / "out"), []
    for number, trial in enumerate(trials):
        found += cells(trial, "right" if number else "wrong")
        folder.keep(found[-1:], [said(Verdict.SECURE)])
    page = folder.publish(render_calibration(sheet(bank, found, 12.0, folder)))
    assert page is not None
    text = page.read_text("utf-8")
    for cell in found:
        path = folder.evidence(cell)
        assert f'href="{path}"' in text
        assert json.loads((page.parent / path).read_text("utf-8"))["cell"]["flaw"] == cell.flaw
    assert "&lt;b&gt;it broke" in text
    assert f"1 of {len(found)} cells came out wrong" in text


def test_without_a_folder_nothing_is_written(bank: Bank, trials: list[Trial]) -> None:
    folder = Folder(None)
    folder.keep(cells(trials[0]), [])
    assert folder.publish("page") is None


def test_a_folder_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    Folder(tmp_path)
    (tmp_path / "cells.json").write_text('{"cut')
    with pytest.raises(UsageError, match="not as assay left it"):
        Folder(tmp_path)
