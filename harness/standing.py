"""``assay grade`` of a review: what was said of a pull request, held against what stands in it.

Nothing is started. What comes out is ``standing.json`` and a table; a requirement of a role is not
answered from it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.reviewed import Comment, Planted, Review, ReviewError, read_review
from exercises.bank import Bank
from exercises.categories import categories
from exercises.exercise import Exercise
from exercises.tree import Tree
from harness.errors import DONE, UsageError
from harness.results import draft, prepare_out
from harness.submission import Submission
from reports.visible import visible
from scoring.reviews.matching import Outcome
from scoring.reviews.standing import Bounds, Standing, standing

#: What a candidate hands in, and what comes of it.
REVIEW, STANDING = "review.json", "standing.json"

_OFF = {0: "as it is", 1: "too grave", -1: "too slight"}


def grade_review(
    submission: Submission, exercise: Exercise, bank: Bank, out: Path, *, as_json: bool
) -> int:
    """Holds a review against its pull request, and writes ``out/standing.json``.

    Raises ``UsageError`` for what is no review of this exercise.
    """
    review = review_of(submission, exercise)
    facts = [Planted.model_validate(asdict(one)) for one in exercise.planted(bank)]
    stands = standing(review, facts)
    _claim(out)
    document = _document(submission, exercise, review, stands)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    draft(out / STANDING).write_text(text, encoding="utf-8", errors="backslashreplace")
    draft(out / STANDING).replace(out / STANDING)
    if as_json:
        sys.stdout.write(text)
    else:
        _show(exercise, facts, review, stands, out)
    return DONE


def review_of(submission: Submission, exercise: Exercise) -> Review:
    """The review in a submission; raises ``UsageError`` where it is none of this exercise."""
    data = submission.tree.get(REVIEW)
    if data is None:
        raise UsageError(f"{submission.name} holds no {REVIEW}: 'assay review' writes it.")
    try:
        review = read_review(data)
    except ReviewError as failure:
        raise UsageError(str(failure)) from failure
    if review.exercise != exercise.id:
        raise UsageError(
            f"{REVIEW} is a review of {visible(review.exercise)!r}, and not of {exercise.id!r}."
        )
    old, new = exercise.base(), exercise.starter()
    for comment in review.comments:
        if wrong := _amiss(comment, old if comment.side == "old" else new):
            raise UsageError(f"Comment {visible(comment.id)!r} of {REVIEW} {wrong}.")
    return review


def _amiss(comment: Comment, tree: Tree) -> str:
    """What is wrong with a comment, if anything is."""
    if comment.category not in categories():
        return f"has the category {visible(comment.category)!r}, which there is not"
    when = "before" if comment.side == "old" else "after"
    if comment.path not in tree:
        return f"is on {visible(comment.path)!r}, which is not there {when} the change"
    lines = len(tree[comment.path].decode("utf-8", "replace").splitlines())
    if comment.last > max(lines, 1):
        return f"is on line {comment.last} of {comment.path}, which has {lines} {when} the change"
    return ""


def _claim(out: Path) -> None:
    known = {STANDING, draft(out / STANDING).name}
    if out.is_dir() and any(entry.name not in known for entry in out.iterdir()):
        raise UsageError(f"{out} holds something else: name a new or an empty folder.")
    prepare_out(out)


def _document(
    submission: Submission, exercise: Exercise, review: Review, stands: Standing
) -> dict[str, Any]:
    return {
        "schema": 1,
        "exercise": exercise.id,
        "form": exercise.seed,
        "submission": {"name": submission.name, "digest": submission.digest},
        "decision": review.decision,
        "decided_rightly": stands.decided,
        "found": list(stands.found),
        "missed": list(stands.missed),
        "recall": round(stands.recall, 4),
        "precision": _bounds(stands.precision),
        "balance": _bounds(stands.balance),
        "severity_off": stands.severity_off,
        "comments": [
            {
                "id": one.comment.id,
                "outcome": one.outcome.value,
                "flaw": one.flaw or None,
                "near": one.near or None,
            }
            for one in stands.matches
        ],
    }


def _bounds(bounds: Bounds) -> dict[str, float]:
    return {"least": round(bounds.least, 4), "most": round(bounds.most, 4)}


def _show(
    exercise: Exercise,
    planted: Sequence[Planted],
    review: Review,
    stands: Standing,
    out: Path,
) -> None:
    console = Console(highlight=False, markup=False)
    finder = {one.flaw: one.comment for one in stands.matches if one.outcome is Outcome.FOUND}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("flaw", "severity", "", "weighed"):
        table.add_column(column, overflow="fold")
    for flaw in planted:
        comment = finder.get(flaw.flaw)
        said = Text("found", "green") if comment else Text("missed", "bold red")
        where = f"\n  {comment.path}:{comment.first}" if comment else ""
        off = stands.severity_off.get(flaw.flaw)
        weighed = "" if off is None else _OFF[(off > 0) - (off < 0)]
        table.add_row(Text.assemble(flaw.flaw, (where, "dim")), flaw.severity, said, weighed)
    console.print(Text(exercise.title, "bold"))
    console.print(table)
    console.print(f"\n{_sentences(review, stands)}")
    console.print(f"{out / STANDING}", soft_wrap=True)


def _sentences(review: Review, stands: Standing) -> str:
    of = len(stands.found) + len(stands.missed)
    open_ = [one for one in stands.matches if one.outcome is Outcome.OPEN]
    said = [f"Found {len(stands.found)} of {of} flaws, {stands.recall:.0%} by severity."]
    if open_:
        said.append(
            f"{len(open_)} comments are about nothing that was planted: they are for a person to"
            f" judge. Until then precision is at least {stands.precision.least:.0%} and at most"
            f" {stands.precision.most:.0%}."
        )
    else:
        said.append(f"Precision {stands.precision.least:.0%}.")
    if stands.decided is None:
        said.append("It comes to no decision.")
    else:
        said.append(
            f"Its decision, {review.decision}, is {'right' if stands.decided else 'wrong'}."
        )
    said.append("Why each breaks, and how to mend it, is for a person to rate.")
    return " ".join(said)
