"""What a reader should take away in half a minute: what matters most, and what to ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from scoring.rules import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from checks.evidence import Evidence
    from scoring.points import Point
    from scoring.role import Kind, Role

#: How many highlights and how many questions stand on the first page.
SHOWN = 3

#: How many of the questions come from flaws when some requirement needs asking too.
FROM_FLAWS = 2

KIND_FACTOR: dict[Kind, int] = {"essential": 3, "duty": 2, "desirable": 1}


class Highlight(BaseModel):
    """One thing that matters for the role.

    ``subject`` is the id of a flaw, a check, ``service/starts`` or ``load/throughput``, or empty
    where the sentence is about several; ``requirements`` are those that it touches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tone: Literal["against", "for", "unknown"]
    subject: str
    text: str
    requirements: tuple[str, ...] = ()


class Question(BaseModel):
    """A question for the interview, about a flaw or a requirement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    flaw: str | None = None
    requirement: str | None = None


def highlights(evidence: Evidence, found: Sequence[Point], role: Role) -> tuple[Highlight, ...]:
    """The two or three things that matter most for a role, the gravest first."""
    against = [point for point in found if point.state in ("lost", "half")]
    against.sort(key=lambda point: (point.kind != "service", *_rank(point, role)))
    said = [_against(point, role) for point in against[:SHOWN]]
    if len(said) < SHOWN:
        said += _in_favour(found, role)[: SHOWN - len(said)]
    unknown = [point for point in found if point.state == "unreached"]
    if unknown and len(said) < SHOWN and evidence.service.started:
        what = "1 flaw or flow" if len(unknown) == 1 else f"{len(unknown)} flaws or flows"
        said.append(
            Highlight(
                tone="unknown",
                subject="",
                text=f"{what} could not be reached behind a broken one.",
            )
        )
    return tuple(said)


def _rank(point: Point, role: Role) -> tuple[int, int, str]:
    """Orders points by severity, and those of one severity by what they touch in the role."""
    touched = sum(
        requirement.weight * KIND_FACTOR[requirement.kind]
        for requirement in role.requirements
        if not point.competencies.isdisjoint(requirement.competencies)
    )
    return -max(point.cost, point.weight), -touched, point.subject


def _touched(point: Point, role: Role) -> tuple[str, ...]:
    return tuple(
        requirement.id
        for requirement in role.requirements
        if not point.competencies.isdisjoint(requirement.competencies)
    )


def _against(point: Point, role: Role) -> Highlight:
    title = point.title.rstrip(".")
    because = point.because.strip().rstrip(".")
    if point.kind == "service":
        text = f"The service did not start: {because}."
    elif point.kind == "load":
        text = f"Under load, {because}."
    elif point.kind == "contract":
        text = f"A documented flow is broken: {_lower(title)}."
    elif point.verdict == "broken":
        text = f"A repair broke the legitimate flow around “{title}” ({point.severity})."
    else:
        text = f"{title} ({point.severity}, still open)."
    return Highlight(
        tone="against", subject=point.subject, text=text, requirements=_touched(point, role)
    )


def _in_favour(found: Sequence[Point], role: Role) -> list[Highlight]:
    flaws = [point for point in found if point.kind == "flaw"]
    earned = [point for point in flaws if point.state == "earned"]
    flows = [point for point in found if point.kind == "contract"]
    said: list[Highlight] = []
    if earned:
        everything = len(earned) == len(flaws)
        count = f"All {len(flaws)}" if everything else f"{len(earned)} of {len(flaws)}"
        grave = [point for point in earned if point.severity == "critical"]
        among = f", {len(grave)} of them critical" if grave else ""
        said.append(Highlight(tone="for", subject="", text=f"{count} flaws are gone{among}."))
    if flows and earned and all(point.state == "kept" for point in flows):
        said.append(
            Highlight(
                tone="for",
                subject="",
                text=f"No legitimate flow was broken: all {len(flows)} contract checks hold.",
            )
        )
    load = [point for point in found if point.kind == "load" and point.state == "earned"]
    said += [
        Highlight(
            tone="for",
            subject=point.subject,
            text=f"Under load, {point.because}.",
            requirements=_touched(point, role),
        )
        for point in load
    ]
    return said


def _lower(title: str) -> str:
    """The title as part of a sentence, unless it begins with a word in capitals."""
    first = title.partition(" ")[0]
    return title if len(first) > 1 and first.isupper() else title[:1].lower() + title[1:]


def questions(
    evidence: Evidence, found: Sequence[Point], role: Role, answers: Mapping[str, Answer]
) -> tuple[Question, ...]:
    """Three questions: about what is open first, then about what could not be assessed."""
    order = {"lost": 0, "blocked": 1, "earned": 2}
    ranked = sorted(
        (point for point in found if point.kind == "flaw" and point.state in order),
        key=lambda point: (order[point.state], *_rank(point, role)),
    )
    asked = {flaw.id: first_question(flaw.lesson.questions) for flaw in evidence.flaws}
    about_flaws = [
        Question(text=asked[point.subject], flaw=point.subject)
        for point in ranked
        if asked.get(point.subject)
    ]
    unanswered = sorted(
        (one for one in role.requirements if answers.get(one.id) is Answer.NOT_ASSESSED),
        key=lambda one: (-KIND_FACTOR[one.kind], -one.weight),
    )
    about_role = [Question(text=one.question, requirement=one.id) for one in unanswered]
    room = SHOWN - min(len(about_role), SHOWN - FROM_FLAWS)
    chosen = about_flaws[:room]
    return tuple(chosen + about_role[: SHOWN - len(chosen)])


def first_question(markdown: str) -> str:
    """The first question of a Markdown list, without the answer to listen for; may be empty.

    A lesson writes ``1. *The question?* What a good answer holds.``; where nothing is emphasised,
    the first item, or the first paragraph, is the question.
    """
    blocks = re.split(r"(?m)^\s*(?:[-*+]|\d+[.)])\s+|\n\s*\n", markdown.strip())
    for block in blocks:
        text = " ".join(block.split())
        if text and not text.startswith("#"):
            emphasised = re.match(r"(\*{1,2}|_{1,2})(?=\S)(.+?)(?<=\S)\1(?!\w)", text)
            return re.sub(r"[*`]", "", emphasised.group(2) if emphasised else text)
    return ""
