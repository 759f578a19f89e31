"""What a page saves, put into the review as it is by now: a three-way merge, in which no text goes.

A page says of all that it changed what that was when the page last heard of it. Where the review
still has that, or has the same change already, the change is made. Where another page has changed
the same comment, both stay: the later one as a comment of its own. Who changes what another has
deleted, keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from checks.evidence import Model
from checks.reviewed import COMMENTS, TEXT, Comment, Decision, Review, Text

#: Stands between two summaries of one review.
BETWEEN = "\n\n--- written in another page ---\n\n"

_JOINED = "Another page has changed the summary too: both stand in it."


class TooMuchError(Exception):
    """What is to be saved does not fit into one review; one sentence."""


class CommentChange(Model):
    """A comment as the page had it, and as it is to be; ``None`` where there is none."""

    was: Comment | None = None
    now: Comment | None = None

    @property
    def id(self) -> str:
        """The comment's own."""
        known = self.now or self.was
        return known.id if known else ""


class SummaryChange(Model):
    """The summary as the page had it, and as it is to be."""

    was: Text
    now: Text


class DecisionChange(Model):
    """The decision as the page had it, and as it is to be."""

    was: Decision | None
    now: Decision | None


class Save(Model):
    """What a page changed since the review of ``revision``, which it knows."""

    revision: Annotated[str, Field(max_length=100)]
    comments: Annotated[tuple[CommentChange, ...], Field(max_length=COMMENTS)] = ()
    summary: SummaryChange | None = None
    decision: DecisionChange | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """The review with a save in it.

    ``as_sent`` is whether all of the save is in it as it was sent. ``renamed`` gives the new ids of
    comments that another page had changed as well, ``told`` what the person should know, in
    sentences.
    """

    review: Review
    as_sent: bool
    renamed: dict[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()


def merge(review: Review, save: Save) -> Merged:
    """The review with a save in it; raises ``TooMuchError``."""
    comments = {one.id: one for one in review.comments}
    renamed: dict[str, str] = {}
    kept = 0
    for change in save.comments:
        now, found = change.now, comments.get(change.id)
        if now is None:
            if found is not None and found == change.was:
                del comments[change.id]
            elif found is not None:
                kept += 1
        elif found in (change.was, now, None):
            comments[now.id] = now
        else:
            renamed[now.id] = _free(now.id, comments)
            comments[renamed[now.id]] = now.model_copy(update={"id": renamed[now.id]})
    if len(comments) > COMMENTS:
        raise TooMuchError(f"A review holds at most {COMMENTS:,} comments.")
    summary, joined = _summary(review.summary, save.summary)
    decision, overruled = _decision(review.decision, save.decision)
    update = {"comments": tuple(comments.values()), "summary": summary, "decision": decision}
    told = [*_of_comments(len(renamed), kept), joined, overruled]
    as_sent = (
        all(comments.get(change.id) == change.now for change in save.comments)
        and (save.summary is None or save.summary.now == summary)
        and (save.decision is None or save.decision.now == decision)
    )
    return Merged(review.model_copy(update=update), as_sent, renamed, tuple(filter(None, told)))


def _free(id_: str, taken: Iterable[str]) -> str:
    """An id that nothing has, like the given one."""
    known, number = set(taken), 2
    while (name := f"{id_[:80]}-{number}") in known:
        number += 1
    return name


def _summary(found: str, change: SummaryChange | None) -> tuple[str, str]:
    if change is None or found == change.now:
        return found, ""
    if found == change.was or not found:
        return change.now, ""
    if not change.now:
        return found, "Another page has written on the summary that was emptied here."
    ours = f"{BETWEEN}{change.was}"
    if found.endswith(ours):  # it has been joined before, and was written on since
        both, told = f"{found.removesuffix(ours)}{BETWEEN}{change.now}", ""
    else:
        both, told = f"{found}{BETWEEN}{change.now}", _JOINED
    if len(both) > TEXT:
        raise TooMuchError(
            "Another page has changed the summary too, and both are too long to stand together."
        )
    return both, told


def _decision(found: Decision | None, change: DecisionChange | None) -> tuple[Decision | None, str]:
    if change is None or change.now == found:
        return found, ""
    if found in (change.was, None):
        return change.now, ""
    return change.now, "Another page had decided otherwise: this decision stands."


def _of_comments(doubled: int, kept: int) -> Iterator[str]:
    if doubled:
        what = "a comment" if doubled == 1 else f"{doubled} comments"
        yield f"Another page has changed {what} too: both stand, beside each other."
    if kept:
        what = "a comment" if kept == 1 else f"{kept} comments"
        yield f"Another page has written on {what} deleted here: kept."
