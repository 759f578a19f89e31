"""The scorecard: evidence read against one role. Pure: no input, no output, never an exception.

``score`` answers every requirement of the role and cites the checks behind each answer. It never
says hire or reject: its headline counts the answers, and its highlights say what drives them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import ConfigDict, Field

from checks.evidence import Model, Severity, Verdict
from scoring.competencies import competencies
from scoring.highlights import Highlight, Question, highlights, questions
from scoring.points import points
from scoring.role import Kind, Role, Source
from scoring.rules import Answer, conclude
from scoring.wording import blocked_sentence, count_sentence, deciding, why

if TYPE_CHECKING:
    from checks.evidence import Evidence
    from scoring.points import Point, State
    from scoring.role import Requirement

SCHEMA_VERSION: Final = 1


class Cited(Model):
    """One point of evidence that bears on a requirement.

    ``subject`` is a flaw's or a check's id, ``service/starts`` or ``load/throughput``.
    """

    subject: str
    kind: Literal["flaw", "contract", "load", "service"]
    title: str
    state: Literal["earned", "half", "lost", "kept", "unreached", "blocked"]
    verdict: Verdict | None
    severity: Severity
    checks: tuple[str, ...]


class RequirementAnswer(Model):
    """One requirement's answer.

    ``because`` are the ids of the checks that decided it (``load/throughput`` and
    ``service/starts`` stand for the load run and the start of the service); ``why`` says it in a
    sentence. ``asked`` and ``unasked`` are the competencies that evidence spoke about, and did not.
    ``open`` are the sources of evidence that this grading had none of.
    """

    id: str
    kind: Kind
    weight: int
    name: str
    text: str
    verdict: Answer
    because: tuple[str, ...]
    why: str
    asked: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    evidence: tuple[Source, ...]
    open: tuple[Source, ...]
    limits: str = ""
    question: str
    cited: tuple[Cited, ...] = ()


class Count(Model):
    """How many requirements of a kind got which answer."""

    total: int
    met: int
    partly: int
    not_met: int
    not_assessed: int


class RoleFacts(Model):
    """The role in words."""

    title: str
    company: str
    place: str
    facts: str


class Scorecard(Model):
    """Evidence read against one role: ``scorecard.json``.

    ``blocked`` is a sentence where the harness failed to give a verdict, and what rests on it is
    not concluded; otherwise ``None``.
    """

    schema_version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA_VERSION
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    role: str
    role_facts: RoleFacts
    exercise: str
    submission: str
    blocked: str | None
    headline: str
    counts: dict[Kind, Count]
    highlights: tuple[Highlight, ...]
    questions: tuple[Question, ...]
    requirements: tuple[RequirementAnswer, ...]
    competencies: dict[str, str]


def score(evidence: Evidence, role: Role) -> Scorecard:
    """Reads evidence against a role."""
    found = points(evidence)
    answers = tuple(_answer(requirement, found, evidence) for requirement in role.requirements)
    kinds: tuple[Kind, ...] = ("essential", "duty", "desirable")
    counts = {kind: _count(answers, kind) for kind in kinds}
    blocked = blocked_sentence(found)
    return Scorecard(
        role=role.id,
        role_facts=RoleFacts(
            title=role.title, company=role.company, place=role.place, facts=role.facts
        ),
        exercise=evidence.exercise,
        submission=evidence.submission.name,
        blocked=blocked,
        headline=_headline(evidence, counts["essential"], blocked),
        counts=counts,
        highlights=highlights(evidence, found, role),
        questions=questions(evidence, found, role, {one.id: one.verdict for one in answers}),
        requirements=answers,
        competencies={
            name: competencies()[name].name
            for name in sorted({name for one in role.requirements for name in one.competencies})
        },
    )


def _answer(
    requirement: Requirement, found: tuple[Point, ...], evidence: Evidence
) -> RequirementAnswer:
    bearing = [point for point in found if point.speaks_of(requirement.competencies)]
    conclusion = conclude(requirement, bearing)
    unasked = tuple(name for name in requirement.competencies if name not in conclusion.asked)
    answered = conclusion.answer is not Answer.NOT_ASSESSED
    return RequirementAnswer(
        id=requirement.id,
        kind=requirement.kind,
        weight=requirement.weight,
        name=requirement.name,
        text=requirement.text,
        verdict=conclusion.answer,
        because=deciding(conclusion, bearing),
        why=why(requirement, conclusion, bearing, evidence),
        asked=tuple(name for name in requirement.competencies if name in conclusion.asked),
        unasked=unasked,
        evidence=requirement.evidence,
        open=tuple(one for one in requirement.evidence if not (answered and one == "auto")),
        limits=requirement.limits,
        question=requirement.question,
        cited=tuple(_cited(point) for point in sorted(bearing, key=_cited_first)),
    )


#: What weighs most against a candidate is cited first.
_STATES: tuple[State, ...] = ("lost", "half", "blocked", "unreached", "earned", "kept")


def _cited_first(point: Point) -> tuple[int, int, str]:
    return _STATES.index(point.state), -point.weight, point.subject


def _cited(point: Point) -> Cited:
    return Cited(
        subject=point.subject,
        kind=point.kind,
        title=point.title,
        state=point.state,
        verdict=point.verdict,
        severity=point.severity,
        checks=point.checks,
    )


def _count(answers: tuple[RequirementAnswer, ...], kind: Kind) -> Count:
    given = Counter(answer.verdict for answer in answers if answer.kind == kind)
    return Count(
        total=given.total(),
        met=given[Answer.MET],
        partly=given[Answer.PARTLY],
        not_met=given[Answer.NOT_MET],
        not_assessed=given[Answer.NOT_ASSESSED],
    )


def _headline(evidence: Evidence, essential: Count, blocked: str | None) -> str:
    sentence = count_sentence(
        essential.total, essential.met, essential.partly, essential.not_met, essential.not_assessed
    )
    if not evidence.service.started:
        return f"The service did not start. {sentence}"
    if blocked:
        return f"Blocked: the grading is incomplete. {sentence}"
    return sentence
