"""The rule: from the points that bear on a requirement to its verdict.

Weighed by severity, a requirement is ``met`` when at least nine tenths of what was asked were
earned and nothing of high or critical severity was lost, ``partly`` when at least half were,
otherwise ``not met``. A point that could not be reached is read both ways, and the verdict stands
only where both readings agree. So losing sight of a point leaves a verdict as it was or makes it
``not assessed``, and never moves it to another conclusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scoring.points import Point
    from scoring.role import Requirement

#: Shares of the weight that was asked.
MET = 0.9
PARTLY = 0.5

#: The cost from which a single loss rules out ``met``: that of a flaw of high severity.
GRAVE = 6

#: The share of a requirement's competencies that must have been shown for ``met``.
BREADTH = 0.5


class Answer(StrEnum):
    """The answer to a requirement."""

    MET = "met"
    PARTLY = "partly"
    NOT_MET = "not met"
    NOT_ASSESSED = "not assessed"


Unknown = Literal["earned", "lost"]

#: What an answer rests on: ``weighed`` points; too ``narrow`` a part of the requirement; all of
#: it that can be shown, which is ``in part``; a service that did not start; or what stood in the
#: way.
Reason = Literal[
    "weighed", "narrow", "in part", "service", "blocked", "unreached", "only kept", "nothing"
]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A requirement's answer.

    ``asked`` are those of its competencies that any point spoke about, and ``shown`` those that
    one spoke about which was not merely kept.
    """

    answer: Answer
    asked: frozenset[str]
    shown: frozenset[str]
    reason: Reason


def conclude(requirement: Requirement, bearing: Sequence[Point]) -> Conclusion:
    """The answer that the points bearing on a requirement give it.

    Points in the state ``kept`` neither earn nor lose: a legitimate flow that works did so in the
    starter too.
    """
    asked = _spoken_of(requirement, bearing)
    shown = _spoken_of(requirement, [point for point in bearing if point.state != "kept"])
    answer, reason = _read(requirement, bearing, shown)
    return Conclusion(answer, asked, shown, reason)


def _spoken_of(requirement: Requirement, bearing: Sequence[Point]) -> frozenset[str]:
    return frozenset(
        competency
        for competency in requirement.competencies
        if any(point.speaks_of([competency]) for point in bearing)
    )


def _read(
    requirement: Requirement, bearing: Sequence[Point], shown: frozenset[str]
) -> tuple[Answer, Reason]:
    if any(point.kind == "service" for point in bearing):
        return Answer.NOT_MET, "service"
    if not bearing or any(point.state == "blocked" for point in bearing):
        return Answer.NOT_ASSESSED, "blocked" if bearing else "nothing"
    best, worst = _weigh(bearing, "earned"), _weigh(bearing, "lost")
    if best is not worst:
        return Answer.NOT_ASSESSED, "unreached"
    if best is Answer.NOT_ASSESSED:
        return best, "only kept"
    return _bounded(requirement, shown) if best is Answer.MET else (best, "weighed")


def _weigh(bearing: Iterable[Point], unknown: Unknown) -> Answer:
    """The answer by weight, reading every point that was not reached as ``unknown``."""
    earned = lost = 0.0
    grave = False
    for point in bearing:
        state = point.state
        if state == "unreached":
            state = "kept" if point.kind == "contract" and unknown == "earned" else unknown
        if state == "earned":
            earned += point.weight
        elif state == "lost":
            lost += point.cost
            grave = grave or point.cost >= GRAVE
        elif state == "half":
            earned += point.weight / 2
            lost += point.cost / 2
            grave = True
    if earned + lost == 0:
        return Answer.NOT_ASSESSED
    share = earned / (earned + lost)
    if share >= MET and not grave:
        return Answer.MET
    return Answer.PARTLY if share >= PARTLY else Answer.NOT_MET


def _bounded(requirement: Requirement, shown: frozenset[str]) -> tuple[Answer, Reason]:
    """``met``, unless what was shown, or all that can be, is too little for it."""
    if _narrow(requirement, shown):
        return Answer.PARTLY, "narrow"
    if requirement.at_most == "partly":
        return Answer.PARTLY, "in part"
    return Answer.MET, "weighed"


def _narrow(requirement: Requirement, shown: frozenset[str]) -> bool:
    if not shown.issuperset(requirement.must_ask):
        return True
    return len(shown) < BREADTH * len(requirement.competencies)
