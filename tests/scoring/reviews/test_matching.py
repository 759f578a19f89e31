"""Which comment is about which flaw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.reviewed import Comment
from exercises.categories import categories
from scoring.reviews.matching import Match, Outcome, match
from tests.scoring.reviews.samples import DEBIT, LOCK, OWNER, PLANTED, comment, flaw


def outcomes(*comments: Comment) -> list[tuple[str, str]]:
    return [(str(one.outcome), one.flaw or one.near) for one in match(comments, PLANTED)]


@pytest.mark.parametrize(
    ("given_", "outcome", "about"),
    [
        (comment("1", "a.py", 12), "found", "debit"),
        (comment("1", "a.py", 16), "found", "debit"),
        (comment("1", "a.py", 2, last=10), "found", "debit"),
        (comment("1", "a.py", 112, side="old"), "found", "debit"),
        (comment("1", "a.py", 31), "found", "lock"),
        (comment("1", "a.py", 12, "performance"), "found", "lock"),  # in its function
        (comment("1", "b.py", 3, "access-control"), "found", "owner"),
        (comment("1", "b.py", 3), "open", "owner"),  # there, and not that
        (comment("1", "b.py", 10, "access-control"), "open", ""),
        (comment("1", "c.py", 12), "open", ""),
        (comment("1", "a.py", 41), "open", ""),
        (comment("1", "a.py", 12, "design"), "remark", ""),
        (comment("1", "a.py", 12, "no-such-kind"), "remark", ""),
    ],
)
def test_a_comment_is_about_a_flaw_by_place_and_issue(
    given_: Comment, outcome: str, about: str
) -> None:
    assert outcomes(given_) == [(outcome, about)]


def test_one_comment_finds_one_flaw_and_what_is_left_repeats() -> None:
    found = outcomes(comment("1", "a.py", 12), comment("2", "a.py", 13), comment("3", "a.py", 14))
    assert found == [("found", "debit"), ("repeated", "debit"), ("repeated", "debit")]


def test_as_many_flaws_are_found_as_can_be() -> None:
    # In the function of both, so that the first could be about either; the second about one alone.
    found = outcomes(comment("1", "a.py", 25), comment("2", "a.py", 25, "performance"))
    assert found == [("found", "debit"), ("found", "lock")]
    found = outcomes(comment("1", "a.py", 25), comment("2", "a.py", 12))
    assert found == [("found", "lock"), ("found", "debit")]


def test_a_comment_in_a_hunk_is_about_that_hunk() -> None:
    found = outcomes(comment("1", "a.py", 12), comment("2", "a.py", 33), comment("3", "a.py", 20))
    assert found == [("found", "debit"), ("found", "lock"), ("repeated", "debit")]


comments = st.lists(
    st.builds(
        comment,
        st.uuids().map(str),
        st.sampled_from(["a.py", "b.py", "c.py"]),
        st.integers(1, 60),
        st.sampled_from([*categories(), "no-such-kind"]),
        side=st.sampled_from(["old", "new"]),
        last=st.just(200),
    ),
    max_size=12,
)


@given(comments)
def test_each_comment_has_one_outcome_and_each_flaw_one_finder(given_: list[Comment]) -> None:
    found = match(given_, PLANTED)
    assert [one.comment for one in found] == given_
    finders = [one.flaw for one in found if one.outcome is Outcome.FOUND]
    assert len(finders) == len(set(finders))
    for one in found:
        if one.outcome is Outcome.REPEATED:
            assert one.flaw in finders


@given(comments, st.data())
def test_another_comment_never_loses_a_flaw(given_: list[Comment], data: st.DataObject) -> None:
    def finds(matches: tuple[Match, ...]) -> set[str]:
        return {one.flaw for one in matches if one.outcome is Outcome.FOUND}

    more = data.draw(comments)
    assert finds(match(given_, PLANTED)) <= finds(match([*given_, *more], PLANTED))


def test_many_comments_are_matched_in_no_time() -> None:
    flaws = [flaw(f"f{n}", ("a.py", n, n + 5), ("a.py", 1, 9000)) for n in range(20)]
    many = [comment(str(n), "a.py", n % 9000 + 1) for n in range(10_000)]
    found = match(many, flaws)
    assert sum(one.outcome is Outcome.FOUND for one in found) == 20


def test_flaws_are_named_apart() -> None:
    assert len({one.flaw for one in (DEBIT, LOCK, OWNER)}) == 3
