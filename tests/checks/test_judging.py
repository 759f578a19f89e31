from __future__ import annotations

from collections.abc import Sequence

import pytest
from multidict import CIMultiDict

from checks.client import Answer
from checks.interleaving import Run
from checks.judging import Judge
from checks.testbed.driving.schedule import Interleaving, Schedule, Step
from checks.verdicts import Broken, Vulnerable


def answer(status: int | None, **headers: str) -> Answer:
    return Answer("POST /x", status, CIMultiDict(headers), b"{}", None, 0)


def run(answers: Sequence[Answer], *came: tuple[int, str]) -> Run:
    """A run in which statements of these threads ended so."""
    steps = tuple(
        Step(at=at, thread=thread, kind="statement", came=said)
        for at, (thread, said) in enumerate(came)
    )
    return Run(tuple(answers), Interleaving(schedule=Schedule(), steps=steps, driven=True))


def nothing() -> None:
    return


DONE, FAILED, BUSY = answer(201), answer(500), answer(503, **{"Retry-After": "1"})


def test_what_came_of_a_run_goes_before_how_it_was_answered() -> None:
    def wrong() -> None:
        raise Vulnerable("spent twice")

    with pytest.raises(Vulnerable, match="spent twice"):
        Judge("hint").judge(run([DONE, FAILED]), [DONE, DONE], wrong)
    with pytest.raises(Broken, match="POST /x answered 500"):
        Judge("hint").judge(run([DONE, FAILED]), [DONE, DONE], nothing)
    with pytest.raises(Broken, match="by then all must be settled"):
        Judge("hint").judge(run([DONE, BUSY]), [DONE, BUSY], nothing)
    Judge("hint").judge(run([DONE, BUSY]), [DONE, DONE], nothing)


def test_a_failure_is_charged_by_what_the_request_met() -> None:
    judge = Judge("hint", {"40001": ["concurrency/a"], "40P01": ["concurrency/b"]})
    met = [(0, "40P01 deadlock detected"), (1, "40001 could not serialize"), (1, "ROLLBACK")]
    with pytest.raises(Broken) as raised:
        judge.judge(run([DONE, FAILED], *met), [DONE, DONE], nothing)
    assert raised.value.unless == ("concurrency/a",)
    with pytest.raises(Broken) as raised:
        judge.judge(run([FAILED, FAILED], *met), [DONE, DONE], nothing)
    assert raised.value.unless == ("concurrency/b",)


def test_an_outcome_that_no_order_has_is_the_flaw() -> None:
    said = Judge("hint").unlike(run([DONE, DONE]), "transfer")
    assert isinstance(said, Vulnerable)
    assert (said.because.split()[2], said.hint) == ("transfers", "hint")


def test_codes_of_failures_and_nothing_else() -> None:
    met = [(0, "MERGE 1"), (0, "BEGIN"), (0, "XX000 odd"), (0, "25P02 aborted"), (1, "55P03 no")]
    course = run([], *met).course
    assert course.failures(0) == {"XX000", "25P02"}
    assert course.failures(1) == {"55P03"}
