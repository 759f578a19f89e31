"""What is fresh in outcomes is found out, and what two requests may come to is known by it."""

from __future__ import annotations

from typing import Any

import pytest

from checks.verdicts import Inconclusive
from harness.explore.outcomes import BROKEN, SHOWN, Measured
from tests.harness.explore.samples import answer

#: What each serial order comes to: bodies of two answers, and what is shown.
Outcome = tuple[list[Any], Any]


def view(shown: Any = None, broken: tuple[str, ...] = ()) -> dict[str, Any]:
    return {SHOWN: [shown], BROKEN: list(broken)}


def learnt(one: list[Outcome], two: list[Outcome], **options: Any) -> Measured:
    outcomes = Measured(**options)
    for order, runs in (((0, 1), one), ((1, 0), two)):
        for bodies, shown in runs:
            outcomes.learn(order, [answer(200, body) for body in bodies], view(shown))
    return outcomes


def holds(outcomes: Measured, bodies: list[Any], shown: Any = None) -> bool:
    return outcomes.holds([answer(200, body) for body in bodies], view(shown))


def test_an_outcome_of_either_order_holds_and_no_other() -> None:
    outcomes = learnt([([1, 2], 40)] * 3, [([2, 1], 40)] * 3)
    assert outcomes.settled
    assert holds(outcomes, [1, 2], 40)
    assert holds(outcomes, [2, 1], 40)
    assert not holds(outcomes, [1, 1], 40)
    assert not holds(outcomes, [1, 2], -20)


def test_ids_are_compared_by_who_has_the_same() -> None:
    def runs(first: int) -> list[Outcome]:
        made = [(number, number + 1) for number in range(first, first + 6, 2)]
        return [([{"id": one}, {"id": two}], [{"id": one}, {"id": two}]) for one, two in made]

    outcomes = learnt(runs(10), runs(20))
    assert outcomes.settled
    assert not outcomes.varying
    assert holds(outcomes, [{"id": 50}, {"id": 51}], [{"id": 50}, {"id": 51}])
    assert not holds(outcomes, [{"id": 50}, {"id": 50}], [{"id": 50}, {"id": 50}])
    assert not holds(outcomes, [{"id": 50}, {"id": 51}], [{"id": 50}, {"id": 52}])


def test_what_varies_without_being_an_id_tells_nothing() -> None:
    def runs(*spans: int) -> list[Outcome]:
        return [([{"ms": one, "left": 4}, {"ms": 1, "left": 3}], None) for one in spans]

    outcomes = learnt(runs(3, 4, 3), runs(5, 3, 3))
    assert outcomes.settled
    assert outcomes.varying == (".answers[1].body.ms",)
    assert holds(outcomes, [{"ms": 1, "left": 4}, {"ms": 1, "left": 3}])
    assert not holds(outcomes, [{"ms": 3, "left": 4}, {"ms": 1, "left": 4}])


def test_times_and_what_is_ignored_are_not_compared() -> None:
    def body(time: str, retries: int) -> dict[str, Any]:
        return {"at": time, "retries": retries, "n": 1}

    runs: list[Outcome] = [([body("2026-01-02T03:04:05Z", 0)] * 2, None)] * 3
    outcomes = learnt(runs, runs, ignore=["retries"])
    assert holds(outcomes, [body("2027-01-02 03:04:05.5+00", 0), body("2026-01-02T03:04Z", 2)])
    assert not holds(outcomes, [body("2027-01-02T03:04:05Z", 0), {"at": "never", "n": 1}])


def test_of_a_refusal_only_the_status_counts() -> None:
    outcomes = Measured()
    for order in ((0, 1), (1, 0)):
        outcomes.learn(order, [answer(200), answer(409, "taken by ann")], view())
    assert outcomes.holds([answer(200), answer(409, "duplicate key")], view())
    assert not outcomes.holds([answer(200), answer(422, "taken by ann")], view())


def test_a_state_that_is_not_fresh_is_not_settled() -> None:
    grown: list[Outcome] = [([1, 1], list(range(length))) for length in (1, 2, 3)]
    assert not learnt(grown, grown).settled


def test_what_goes_wrong_without_a_race_is_said() -> None:
    outcomes = Measured()
    with pytest.raises(Inconclusive, match="request 2 then request 1: POST /x answered 500"):
        outcomes.learn((1, 0), [answer(500), answer(200)], view())
    with pytest.raises(Inconclusive, match=r"Broken: sum: it is 3\. Mend that first\."):
        outcomes.learn((0, 1), [answer(200)] * 2, view(None, ("Broken: sum: it is 3.",)))
