"""A review written on GitHub, from its API's JSON, as comments of ours.

What is read is an answer of ``GET /repos/{owner}/{repo}/pulls/{number}/comments``, or an object of
such ``comments`` and of ``reviews``, the answer of ``.../pulls/{number}/reviews``. Pages of answers
may be lists within the list, as ``gh api --paginate --slurp`` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from checks.evidence import Severity
from checks.reviewed import TEXT, Comment, Decision, Review, Side
from exercises.bank import first_problem
from exercises.categories import categories
from harness.errors import UsageError
from harness.review.request import Request

#: What a comment is taken for that does not say.
SEVERITY: Severity = "medium"
CATEGORY = "other"

#: Stands between texts of one thread, and between a summary and an imported one.
BETWEEN = "\n\n"

_SEVERITIES: tuple[Severity | Literal["nit"], ...] = (*get_args(Severity), "nit")
_CATEGORIES = {
    word: id_ for id_, one in categories().items() for word in (id_.lower(), one.name.lower())
}
#: Of GitHub's states; what is pending was not sent, and what was dismissed does not count.
_DECISIONS: dict[str, Decision] = {
    "APPROVED": "approve",
    "COMMENTED": "comment",
    "CHANGES_REQUESTED": "request changes",
}
_PREFIX = re.compile(r"\s*(?:\*\*|__)?\[([^\[\]\n]{1,60})\](?:\*\*|__)?:?|\s*(nit):", re.IGNORECASE)
_SUGGESTION = re.compile(r"^(`{3,}|~{3,})suggestion[^\n]*\n.*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)


def _flat(pages: object) -> object:
    """Pages of answers as one answer; no page is ``null`` where there is none."""
    if isinstance(pages, list) and pages and all(isinstance(one, list) for one in pages):
        return [one for page in pages for one in page]
    return pages


class _Said(BaseModel):
    """A comment as GitHub has it.

    ``line`` is ``None`` once the branch has moved on, and of a comment on the whole file.
    """

    model_config = ConfigDict(extra="ignore")

    id: int
    path: Annotated[str, Field(min_length=1, max_length=400)]
    body: str
    side: Literal["LEFT", "RIGHT"] | None = None
    start_side: Literal["LEFT", "RIGHT"] | None = None
    line: Annotated[int, Field(ge=1)] | None = None
    start_line: Annotated[int, Field(ge=1)] | None = None
    original_line: Annotated[int, Field(ge=1)] | None = None
    original_start_line: Annotated[int, Field(ge=1)] | None = None
    in_reply_to_id: int | None = None


class _Verdict(BaseModel):
    """A review as GitHub has it: what its author said in all, and decided."""

    model_config = ConfigDict(extra="ignore")

    state: str
    body: str | None = None
    submitted_at: str | None = None


class _Answers(BaseModel):
    model_config = ConfigDict(extra="ignore")

    comments: Annotated[list[_Said], BeforeValidator(_flat)] = []
    reviews: Annotated[list[_Verdict], BeforeValidator(_flat)] = []


@dataclass(frozen=True, slots=True)
class Written:
    """A review that was written on GitHub; ``told`` says what could not be taken as it is."""

    comments: tuple[Comment, ...]
    decision: Decision | None
    summary: str
    told: tuple[str, ...]


def read_github(data: bytes, request: Request, name: str) -> Written:
    """Reads the API's JSON; raises ``UsageError`` for anything else, which is called ``name``."""
    what = f"{name} is not what GitHub's API says of a review"
    try:
        given: object = TypeAdapter(object).validate_json(data)
        bare = isinstance(given, list)
        answers = _Answers.model_validate({"comments": given} if bare else given)
    except ValidationError as failure:
        raise UsageError(f"{what}: {first_problem(failure)}") from failure
    if not answers.model_fields_set:
        raise UsageError(f"{what}: it has neither comments nor reviews.")
    threads = list(_threads(answers.comments))
    told = dict.fromkeys(note for said in threads for note in _notes(said))
    comments = tuple(_comment(said, request) for said in threads)
    return Written(comments, *_verdict(answers.reviews), tuple(told))


def put_into(review: Review, written: Written) -> Review:
    """The review with what was written elsewhere; what is in it already stays as it is."""
    known = {one.id for one in review.comments}
    more = tuple(one for one in written.comments if one.id not in known)
    summary = review.summary
    if written.summary not in summary:
        joined = BETWEEN.join(filter(None, (summary, written.summary)))
        summary = joined if len(joined) <= TEXT else summary
    return review.model_copy(
        update={
            "comments": (*review.comments, *more),
            "summary": summary,
            "decision": review.decision or written.decision,
        }
    )


def _threads(comments: Sequence[_Said]) -> Iterator[_Said]:
    """Each first comment of a thread, with the answers to it beneath."""
    first = {one.id: one for one in comments}
    replies: dict[int, list[str]] = {}
    for one in comments:
        if one.in_reply_to_id in first and one.in_reply_to_id != one.id:
            replies.setdefault(one.in_reply_to_id, []).append(one.body)
            del first[one.id]
    for one in first.values():
        body = BETWEEN.join((one.body, *replies.get(one.id, ())))
        yield one.model_copy(update={"body": body})


def _comment(said: _Said, request: Request) -> Comment:
    severity, category, text = _weighed(said.body.replace("\r\n", "\n"))
    why, mend = _parted(text)
    side: Side = "old" if said.side == "LEFT" else "new"
    first, last = _lines(said)
    return Comment(
        id=f"github-{said.id}",
        path=_path(said.path, side, request),
        side=side,
        first=first,
        last=last,
        severity=severity,
        category=category,
        why=why[:TEXT],
        mend=mend[:TEXT],
    )


def _lines(said: _Said) -> tuple[int, int]:
    """The lines that a comment is about; of a range that begins on the other side, its last."""
    outdated = said.line is None
    last = said.original_line if outdated else said.line
    first = said.original_start_line if outdated else said.start_line
    if last is None:
        return 1, 1
    if first is None or (said.start_side or said.side) != said.side:
        return last, last
    return min(first, last), max(first, last)


def _path(path: str, side: Side, request: Request) -> str:
    """GitHub names a renamed file by its new path on either side."""
    renamed = {
        change.new.path: change.old.path for change in request.changes if change.old and change.new
    }
    return renamed.get(path, path) if side == "old" else path


def _weighed(body: str) -> tuple[Severity | Literal["nit"], str, str]:
    """Severity, category and the rest of a comment that begins like ``[high][races]``."""
    severity: Severity | Literal["nit"] = SEVERITY
    category, at = CATEGORY, 0
    while found := _PREFIX.match(body, at):
        word = (found[1] or found[2]).strip().lower()
        if word in _SEVERITIES:
            severity = _SEVERITIES[_SEVERITIES.index(word)]
        elif word in _CATEGORIES:
            category = _CATEGORIES[word]
        else:
            break
        at = found.end()
    return severity, category, body[at:].strip()


def _parted(text: str) -> tuple[str, str]:
    """Why it breaks, and how to mend it: the changes that a comment suggests."""
    mend = BETWEEN.join(found[0] for found in _SUGGESTION.finditer(text))
    return (_SUGGESTION.sub("", text).strip(), mend) if mend else (text, "")


def _notes(said: _Said) -> Iterator[str]:
    """What of a comment could not be taken as it is."""
    if said.line is None:
        yield (
            "Comments on a whole file stand at its line 1, and those on an earlier state of the"
            " branch at the lines that they were written on."
        )
    if len(said.body) > TEXT:
        yield f"Comments longer than {TEXT:,} characters are cut."


def _verdict(reviews: Sequence[_Verdict]) -> tuple[Decision | None, str]:
    """The last decision, which a mere comment does not take back, and all that was said in all."""
    sent = sorted(
        (one for one in reviews if one.state in _DECISIONS), key=lambda one: one.submitted_at or ""
    )
    decisions = [_DECISIONS[one.state] for one in sent]
    decided = [one for one in decisions if one != "comment"] or decisions
    summary = BETWEEN.join(one.body.strip() for one in sent if one.body and one.body.strip())
    return (decided[-1] if decided else None), summary[:TEXT]
