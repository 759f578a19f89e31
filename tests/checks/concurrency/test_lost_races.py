"""What is this flaw's and what another's, where nobody has to lose."""

from __future__ import annotations

import pytest

from checks.client import Answer
from checks.concurrency.lost_races import (
    CONFLICT_CHARGED,
    NO_LOCK_CHARGED,
    SPENDING_CHARGED,
    FairLoss,
    conflicting,
    given_up,
)
from checks.verdicts import Broken, Decision, Vulnerable
from tests.checks.test_judging import BUSY, DONE, FAILED, answer, nothing, run

DEADLOCK = FairLoss("hint", own=given_up, others=(CONFLICT_CHARGED, SPENDING_CHARGED))
CONFLICT = FairLoss("hint", own=conflicting, others=(NO_LOCK_CHARGED,))

REFUSED = answer(422)
DEADLOCKED, SERIALIZED = (1, "40P01 deadlock detected"), (1, "40001 could not serialize access")


@pytest.mark.parametrize(
    ("judge", "met", "verdict", "unless"),
    [
        (DEADLOCK, [DEADLOCKED], Vulnerable, ()),
        (DEADLOCK, [(1, "55P03 canceling statement due to lock timeout")], Vulnerable, ()),
        (DEADLOCK, [DEADLOCKED, SERIALIZED], Vulnerable, ()),
        (DEADLOCK, [SERIALIZED], Broken, (CONFLICT_CHARGED, SPENDING_CHARGED)),
        (DEADLOCK, [(0, "40P01 deadlock detected")], Broken, (CONFLICT_CHARGED, SPENDING_CHARGED)),
        (CONFLICT, [SERIALIZED], Vulnerable, ()),
        (CONFLICT, [], Vulnerable, ()),
        (CONFLICT, [DEADLOCKED, SERIALIZED], Broken, (NO_LOCK_CHARGED,)),
    ],
)
def test_a_failure_is_charged_once(
    judge: FairLoss, met: list[tuple[int, str]], verdict: type[Decision], unless: tuple[str, ...]
) -> None:
    with pytest.raises(verdict, match="POST /x answered 500") as raised:
        judge.judge(run([DONE, FAILED], *met), [DONE, DONE], nothing)
    assert getattr(raised.value, "unless", ()) == unless


@pytest.mark.parametrize(
    ("given", "final", "wrong"),
    [
        (answer(503), DONE, "without Retry-After"),
        (BUSY, answer(409), "503, and 409 when it came again"),
        (BUSY, FAILED, "POST /x answered 500"),
        (REFUSED, REFUSED, "answered 422, though the accounts hold enough"),
        (answer(None), DONE, "got no answer"),
    ],
)
def test_a_loser_that_does_not_succeed_in_the_end(given: Answer, final: Answer, wrong: str) -> None:
    with pytest.raises(Vulnerable, match=wrong):
        DEADLOCK.judge(run([DONE, given], DEADLOCKED), [DONE, final], nothing)


def test_who_is_put_off_and_then_served_has_lost_nothing() -> None:
    for judge in (DEADLOCK, CONFLICT):
        judge.judge(run([DONE, BUSY], DEADLOCKED, SERIALIZED), [DONE, DONE], nothing)


def test_what_was_put_off_and_done_is_this_flaws_and_money_astray_anothers() -> None:
    said = DEADLOCK.unlike(run([DONE, BUSY], DEADLOCKED), "transfer")
    assert isinstance(said, Vulnerable)
    assert "503, and something was done" in said.because
    said = DEADLOCK.unlike(run([DONE, DONE], DEADLOCKED), "transfer")
    assert isinstance(said, Broken)
    assert said.unless == (SPENDING_CHARGED,)
