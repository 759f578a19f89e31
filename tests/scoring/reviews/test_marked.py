"""The marked reviews are whole, fit their exercises, and stand to one another as they should."""

from __future__ import annotations

import pytest

from exercises.bank import load_bank
from exercises.exercise import load_exercise
from scoring.reviews.standing import standing
from tests.benchmarks.bench_matching import agreement, judged
from tests.scoring.reviews.marked import Marked, marked_reviews

REVIEWS = tuple(marked_reviews())
EXERCISES = tuple(dict.fromkeys(one.exercise for one in REVIEWS))
STYLES = {"expert", "terse", "half", "every-hunk", "scanner", "nothing", "wrong-reasons"}

#: What the matcher has reached; python -m tests.benchmarks.bench_matching says what it is to reach.
PRECISION, RECALL = 0.86, 0.95


def of(exercise: str) -> dict[str, Marked]:
    return {one.name: one for one in REVIEWS if one.exercise == exercise}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_there_is_a_review_of_each_style(exercise: str) -> None:
    assert of(exercise).keys() == STYLES


@pytest.mark.parametrize("one", REVIEWS, ids=lambda one: f"{one.exercise}-{one.name}")
def test_every_comment_is_marked(one: Marked) -> None:
    assert one.about.keys() == {comment.id for comment in one.review.comments}
    flaws = {flaw.flaw for flaw in one.planted}
    assert {flaw for flaw in one.about.values() if flaw is not None} <= flaws
    assert one.review.exercise == one.exercise
    assert one.review.seed == 0


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_flaws_are_those_of_the_exercise(exercise: str) -> None:
    """Lines may have moved since the reviews were written; what they are about has not."""
    bank = load_bank()
    today = load_exercise(exercise, bank).planted(bank)
    kept = of(exercise)["expert"].planted
    assert [(one.flaw, one.severity, one.categories) for one in kept] == [
        (one.flaw, one.severity, one.categories) for one in today
    ]


def test_the_matcher_is_as_good_as_it_was() -> None:
    found = agreement(REVIEWS)
    assert found.precision >= PRECISION, found.differences
    assert found.recall >= RECALL, found.differences


@pytest.mark.parametrize("exercise", EXERCISES)
def test_finding_all_is_best_and_flagging_everything_is_worse_than_finding_half(
    exercise: str,
) -> None:
    reviews = of(exercise)
    stands = {name: standing(one.review, one.planted, judged(one)) for name, one in reviews.items()}
    for name in ("expert", "terse", "every-hunk"):
        assert stands[name].missed == ()
    balances = {name: one.balance.least for name, one in stands.items()}
    assert balances["expert"] == balances["terse"] == 1
    assert balances["every-hunk"] < balances["half"] < 1
    assert balances["nothing"] == 0
    assert max(balances["scanner"], balances["wrong-reasons"]) < balances["half"]
