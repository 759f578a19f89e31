"""How reviews of different kinds stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.reviewed import Comment, Decision, Review
from scoring.reviews.standing import Bounds, Judged, Standing, standing
from tests.scoring.reviews.samples import PLANTED, comment

DEBIT = comment("debit", "a.py", 12, severity="critical")
LOCK = comment("lock", "a.py", 31, "performance", severity="low")
OWNER = comment("owner", "b.py", 4, "access-control")
NOTHING = comment("nothing", "c.py", 1)
REMARK = comment("remark", "c.py", 1, "design", severity="nit")


def of(
    *comments: Comment, judged: Judged | None = None, decision: Decision | None = None
) -> Standing:
    review = Review(exercise="x", comments=comments, decision=decision)
    return standing(review, PLANTED, judged or Judged())


def test_recall_is_weighed_by_severity() -> None:
    stands = of(DEBIT)
    assert (stands.found, stands.missed) == (("debit",), ("lock", "owner"))
    assert stands.recall == 10 / 19
    assert stands.precision == Bounds(1.0, 1.0)


def test_what_nobody_judged_is_read_both_ways_and_remarks_do_not_count() -> None:
    assert of(DEBIT, NOTHING, REMARK).precision == Bounds(0.5, 1.0)
    accepted = Judged(accepted=frozenset({"nothing"}))
    rejected = Judged(rejected=frozenset({"nothing"}))
    assert of(DEBIT, NOTHING, judged=accepted).precision == Bounds(1.0, 1.0)
    assert of(DEBIT, NOTHING, judged=rejected).precision == Bounds(0.5, 0.5)


def test_severity_is_compared_for_what_was_found() -> None:
    assert of(DEBIT, LOCK, OWNER).severity_off == {"debit": 0, "lock": -1, "owner": 0}


@pytest.mark.parametrize(
    ("decision", "right"), [("request changes", True), ("comment", False), ("approve", False)]
)
def test_grave_flaws_are_to_be_stopped(decision: Decision, right: bool) -> None:
    assert of(decision=decision).decided is right


def test_without_a_decision_nothing_is_said_of_it() -> None:
    assert of().decided is None


def test_nothing_said_finds_nothing_and_raises_nothing() -> None:
    stands = of()
    assert (stands.recall, stands.precision, stands.balance) == (
        0.0,
        Bounds(1.0, 1.0),
        Bounds(0.0, 0.0),
    )


def test_flagging_every_line_stands_below_finding_half() -> None:
    every = [
        comment(f"{path}{line}{category}", path, line, category)
        for path in ("a.py", "b.py", "c.py")
        for line in range(1, 60)
        for category in ("races", "performance", "access-control")
    ]
    flags, half = of(*every), of(DEBIT)
    assert flags.recall == 1.0
    assert flags.balance.least < half.balance.least
    judged = Judged(rejected=frozenset(one.id for one in every))
    assert of(*every, judged=judged).balance.most < half.balance.least


@given(st.sets(st.sampled_from(["nothing", "other"])), st.booleans())
def test_a_persons_word_stays_within_the_bounds(judged: set[str], accepts: bool) -> None:
    comments = (DEBIT, NOTHING, comment("other", "c.py", 9))
    open_ = of(*comments).balance
    said = Judged(**{"accepted" if accepts else "rejected": frozenset(judged)})
    then = of(*comments, judged=said).balance
    assert open_.least <= then.least <= then.most <= open_.most
