"""What a candidate said of a pull request, and what stands in it: a review as evidence.

``Review`` is ``review.json``, as the page writes it and as a person may write it by hand
(docs/reviews.md). ``Planted`` is a flaw of the pull request with its places, so that a saved review
can be scored again without the bank. This module imports nothing of assay's but the evidence.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from checks.evidence import Model, Severity

SCHEMA_VERSION: Final = 1

Side = Literal["old", "new"]
Decision = Literal["approve", "comment", "request changes"]

#: The most that a review may hold: comments, and characters of one text.
COMMENTS, TEXT = 10_000, 20_000

Text = Annotated[str, StringConstraints(max_length=TEXT)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ReviewError(Exception):
    """A review that cannot be read; one sentence that says where and how to mend it."""


class Comment(Model):
    """One remark on lines ``first`` to ``last`` of a file, before or after the change.

    ``severity`` ``nit`` is below all that a flaw can have. ``why`` says what breaks, ``mend`` how
    it is put right.
    """

    id: Id
    path: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    side: Side = "new"
    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]
    severity: Severity | Literal["nit"]
    category: Id
    why: Text = ""
    mend: Text = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"comment {self.id!r} ends at line {self.last}, before it begins")
        return self


class Review(Model):
    """A whole review; without a ``decision`` while it is under way."""

    version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA_VERSION
    exercise: Id
    seed: Annotated[int, Field(ge=0)] = 0
    decision: Decision | None = None
    summary: Text = ""
    comments: Annotated[tuple[Comment, ...], Field(max_length=COMMENTS)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen: set[str] = set()
        for comment in self.comments:
            if comment.id in seen:
                raise ValueError(f"two comments are called {comment.id!r}")
            seen.add(comment.id)
        return self


class Region(Model):
    """Lines ``first`` to ``last`` of a file, before (``old``) or after (``new``) the change."""

    path: str
    side: Side
    first: int
    last: int

    def meets(self, comment: Comment) -> bool:
        """Whether a comment stands in it, at least in part."""
        same = (comment.path, comment.side) == (self.path, self.side)
        return same and comment.first <= self.last and self.first <= comment.last


class Planted(Model):
    """A flaw in a pull request: what it is, and where a comment on it may stand.

    ``hunks`` are the changed lines with their context, ``functions`` those that the change is in.
    """

    flaw: str
    title: str
    severity: Severity
    categories: tuple[str, ...]
    hunks: tuple[Region, ...]
    functions: tuple[Region, ...]


def read_review(data: bytes) -> Review:
    """Reads ``review.json``; raises ``ReviewError``."""
    try:
        return Review.model_validate_json(data)
    except ValidationError as failure:
        problem = failure.errors(include_url=False)[0]
        where = "".join(_step(part) for part in problem["loc"]).removeprefix(".")
        what = problem["msg"].removeprefix("Value error, ")
        place = f" at {where}" if where else ""
        raise ReviewError(f"The review cannot be read{place}: {what}.") from failure


def _step(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
