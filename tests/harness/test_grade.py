"""A grading from end to end, on the real service; and on one that does not run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from checks.catalogue import catalogue
from checks.evidence import Evidence, Verdict
from checks.testbed.testbed import Host
from exercises.bank import Bank, load_bank
from exercises.exercise import Exercise
from exercises.tree import read_tree
from harness.grade import Grading, evaluate
from harness.outcome import write_result
from harness.progress import Progress
from harness.score import read_evidence
from harness.submission import Submission, digest
from scoring.role import load_role
from scoring.scorecard import score

FLAW = "payment-idor"


@pytest.fixture
def bank() -> Bank:
    return load_bank(only=[FLAW])


@pytest.fixture
def exercise(bank: Bank) -> Exercise:
    seeded = next(iter(bank.flaw(FLAW).inject.values()))
    return Exercise(
        id="one-flaw",
        title="One flaw",
        summary="For the tests.",
        kind="repair",
        minutes=10,
        track="fastapi",
        seed=0,
        flaws={FLAW: seeded},
        brief="# Mend it\n",
        enclosed={},
    )


def quiet() -> Progress:
    return Progress(Console(file=io.StringIO()))


async def graded(tree: dict[str, bytes], exercise: Exercise, bank: Bank) -> Evidence:
    grading = Grading(Submission("it", tree, digest(tree)), exercise, bank, 7, "off")
    async with Host.open(trusted=True) as host:
        with quiet() as progress:
            return await evaluate(host, grading, progress)


async def test_a_starter_has_its_flaw_and_works(
    tmp_path: Path, exercise: Exercise, bank: Bank
) -> None:
    evidence = await graded(exercise.starter(), exercise, bank)
    assert evidence.service.started
    assert evidence.flaw_verdict(FLAW) is Verdict.VULNERABLE
    flows = [one for one in evidence.verdicts if one.flaw is None]
    assert [one.check for one in flows if one.verdict is not Verdict.SECURE] == []
    assert {one.check for one in evidence.verdicts} == {
        one.id for one in catalogue() if one.flaw in (None, FLAW)
    }
    assert evidence.submission.diff == ""
    assert "payments/payments/repository.py" in evidence.flaws[0].difference
    assert all(one.competencies for one in evidence.verdicts)
    card = score(evidence, load_role("somnio"))
    write_result(evidence, [card], tmp_path)
    assert read_evidence(tmp_path / "evidence.json") == evidence
    assert set(read_tree(tmp_path)) == {
        "evidence.json",
        "somnio/scorecard.json",
        "somnio/report.html",
        "somnio/report.md",
    }


@pytest.mark.parametrize(
    ("path", "text", "stage"),
    [
        ("payments/app.py", b"raise RuntimeError('my own fault')\n", "ready"),
        ("migrations/env.py", b"raise RuntimeError('my own fault')\n", "migrate"),
    ],
)
async def test_a_service_that_does_not_run_is_graded_all_the_same(
    exercise: Exercise, bank: Bank, path: str, text: bytes, stage: str
) -> None:
    assert path in exercise.starter()
    evidence = await graded({**exercise.starter(), path: text}, exercise, bank)
    assert not evidence.service.started
    assert evidence.service.failure
    assert evidence.service.stage in (stage, "start")
    assert "my own fault" in "".join(log.text for log in evidence.logs)
    given = [one.verdict for one in evidence.verdicts]
    assert given.count(Verdict.BROKEN) == 1
    assert set(given) == {Verdict.BROKEN, Verdict.NOT_REACHED}
    assert evidence.flaw_verdict(FLAW) is Verdict.NOT_REACHED
    assert path in evidence.submission.diff
    assert score(evidence, load_role("somnio")).headline.startswith("The service did not start")


async def test_another_exercises_kit_is_graded_and_said(exercise: Exercise, bank: Bank) -> None:
    tree = {**exercise.starter(), "kit.toml": b'exercise = "another"\n'}
    tree["migrations/env.py"] = b"raise SystemExit(1)\n"
    grading = Grading(Submission("it", tree, digest(tree)), exercise, bank, 7, "off")
    said = io.StringIO()
    async with Host.open(trusted=True) as host:
        with Progress(Console(file=said)) as progress:
            await evaluate(host, replace(grading, seed=8), progress)
    assert "its kit.toml says 'another'" in said.getvalue()
