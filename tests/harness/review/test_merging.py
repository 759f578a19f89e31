"""Two pages save one review: no text goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.reviewed import COMMENTS, TEXT, Comment, Review
from harness.review.merging import (
    CommentChange,
    DecisionChange,
    Save,
    SummaryChange,
    TooMuchError,
    merge,
)
from tests.harness.review.running import comment


def one(id_: str, why: str, **other: Any) -> Comment:
    return Comment.model_validate(comment(id_, why=why, **other))


def review(*comments: Comment, **other: Any) -> Review:
    return Review(exercise="judged", seed=3, comments=comments, **other)


def save(*changes: tuple[Comment | None, Comment | None], **other: Any) -> Save:
    made = tuple(CommentChange(was=was, now=now) for was, now in changes)
    return Save(revision="1", comments=made, **other)


def test_what_nobody_else_touched_is_as_it_was_saved() -> None:
    a, b = one("a", "first"), one("b", "second")
    merged = merge(review(a, b), save((a, one("a", "better")), (b, None), (None, one("c", "new"))))
    assert [(c.id, c.why) for c in merged.review.comments] == [("a", "better"), ("c", "new")]
    assert merged.as_sent
    assert not merged.renamed
    assert not merged.told


def test_both_versions_of_a_comment_stand() -> None:
    was, theirs, mine = one("a", "first"), one("a", "theirs"), one("a", "mine")
    merged = merge(review(theirs), save((was, mine)))
    assert [(c.id, c.why) for c in merged.review.comments] == [("a", "theirs"), ("a-2", "mine")]
    assert merged.renamed == {"a": "a-2"}
    assert not merged.as_sent
    assert merged.told == (
        "Another page has changed a comment too: both stand, beside each other.",
    )


def test_a_change_outlives_a_deletion_either_way() -> None:
    was, changed = one("a", "first"), one("a", "changed")
    assert merge(review(), save((was, changed))).review.comments == (changed,)
    kept = merge(review(changed), save((was, None)))
    assert kept.review.comments == (changed,)
    assert kept.told


def test_the_same_save_twice_is_one() -> None:
    was, mine = one("a", "first"), one("a", "mine")
    given = save((was, mine), (None, one("b", "new")), summary=SummaryChange(was="", now="s"))
    once = merge(review(was), given)
    again = merge(once.review, given)
    assert again.review == once.review
    assert not again.told


@pytest.mark.parametrize(
    ("found", "was", "now", "both"),
    [
        ("", "", "mine", "mine"),
        ("first", "first", "", ""),
        ("theirs", "", "mine", "theirs\n\n--- written in another page ---\n\nmine"),
        ("theirs", "first", "", "theirs"),
        (
            "theirs\n\n--- written in another page ---\n\nmine",
            "mine",
            "mine, still",
            "theirs\n\n--- written in another page ---\n\nmine, still",
        ),
        ("", "first", "mine", "mine"),
    ],
)
def test_summaries_stand_together(found: str, was: str, now: str, both: str) -> None:
    merged = merge(review(summary=found), save(summary=SummaryChange(was=was, now=now)))
    assert merged.review.summary == both


def test_the_later_decision_stands() -> None:
    given = save(decision=DecisionChange(was=None, now="approve"))
    merged = merge(review(decision="request changes"), given)
    assert merged.review.decision == "approve"
    assert merged.told


def test_what_does_not_fit_is_refused() -> None:
    full = review(*(one(str(number), "x") for number in range(COMMENTS)))
    with pytest.raises(TooMuchError, match="at most 10,000 comments"):
        merge(full, save((None, one("more", "x"))))
    long = SummaryChange(was="", now="a" * TEXT)
    with pytest.raises(TooMuchError, match="too long to stand together"):
        merge(review(summary="theirs"), save(summary=long))


texts = st.sampled_from(["", "one", "two", "three"])
states = st.dictionaries(st.sampled_from("abc"), texts)


@settings(max_examples=300, deadline=None)
@given(base=states, mine=states, theirs=states)
def test_no_text_that_either_wrote_goes(
    base: dict[str, str], mine: dict[str, str], theirs: dict[str, str]
) -> None:
    def comments(state: dict[str, str]) -> dict[str, Comment]:
        return {id_: one(id_, why) for id_, why in state.items()}

    was, now, found = comments(base), comments(mine), comments(theirs)
    touched = [id_ for id_ in was | now if was.get(id_) != now.get(id_)]
    merged = merge(
        review(*found.values()), save(*((was.get(id_), now.get(id_)) for id_ in touched))
    )
    left = [c.why for c in merged.review.comments]
    assert len({c.id for c in merged.review.comments}) == len(left)
    for id_ in touched:
        if id_ in mine:
            assert mine[id_] in left
            named = merged.renamed.get(id_, id_)
            assert named in {c.id for c in merged.review.comments}
    for id_, why in theirs.items():
        untouched_by_them = base.get(id_) == why
        assert why in left or (untouched_by_them and id_ in touched)
