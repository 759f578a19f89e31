"""Points: what evidence says, one point for each thing that can be charged once.

A flaw is one point however many checks speak about it; a contract check is one; the load run is
one; a service that did not start is one. A requirement is decided from the points that share a
competency with it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from checks.evidence import PRECEDENCE, CheckVerdict, Evidence, FlawFacts, Severity, Verdict
from scoring.competencies import implied

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What a flaw of each severity weighs.
WEIGHT: dict[Severity, int] = {"critical": 10, "high": 6, "medium": 3, "low": 1}

PLAIN = frozenset({Verdict.SECURE, Verdict.VULNERABLE})

#: Throughput as a share of the reference's from which load speaks fully, or half, for a candidate.
LOAD_MET = 0.8
LOAD_PARTLY = 0.5

#: Errors as a share of requests, beyond the reference's own, above which load speaks half at most,
#: or against.
LOAD_FEW_ERRORS = 0.01
LOAD_MANY_ERRORS = 0.05

#: The ids under which a scorecard cites what is not a check.
SERVICE = "service/starts"
LOAD = "load/throughput"

#: What a service that never started speaks against, for certain.
SERVICE_COMPETENCIES = frozenset({"api.contract", "code.debugging"})
LOAD_COMPETENCIES = frozenset({"performance.throughput", "performance.latency"})

#: ``earned`` speaks for the candidate and ``lost`` against; ``half`` is both in equal parts;
#: ``kept`` is a legitimate flow that works, as it did in the starter; ``unreached`` and ``blocked``
#: are unknown, by the submission's doing and by the harness's.
State = Literal["earned", "half", "lost", "kept", "unreached", "blocked"]


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that evidence says.

    ``subject`` is a flaw's id, a check's id, ``SERVICE`` or ``LOAD``. ``weight`` is what it earns
    and ``cost`` what it loses: the same, but that a flaw whose mending broke a legitimate flow
    costs at least as much as one of high severity. ``implied`` are the competencies it speaks
    about only by the exercise's kind and track.
    """

    subject: str
    kind: Literal["flaw", "contract", "load", "service"]
    title: str
    state: State
    verdict: Verdict | None
    severity: Severity
    checks: tuple[str, ...]
    competencies: frozenset[str]
    weight: int
    cost: int
    implied: frozenset[str] = field(default_factory=frozenset)
    because: str = ""

    def speaks_of(self, competencies: Iterable[str]) -> bool:
        """Whether the point bears on any of these competencies."""
        return not (self.competencies | self.implied).isdisjoint(competencies)


def points(evidence: Evidence) -> tuple[Point, ...]:
    """All points of the evidence, sorted by kind and subject; never raises."""
    by_flaw: dict[str, list[CheckVerdict]] = defaultdict(list)
    by_check: dict[str, list[CheckVerdict]] = defaultdict(list)
    for verdict in evidence.verdicts:
        if verdict.flaw is None:
            by_check[verdict.check].append(verdict)
        else:
            by_flaw[verdict.flaw].append(verdict)
    facts = {flaw.id: flaw for flaw in evidence.flaws}
    found = [
        _flaw_point(evidence, flaw, facts.get(flaw), by_flaw.get(flaw, []))
        for flaw in facts.keys() | by_flaw.keys()
    ]
    found += [_contract_point(check, given) for check, given in by_check.items()]
    found += _service_points(evidence)
    found += _load_points(evidence)
    return tuple(sorted(found, key=lambda point: (point.kind, point.subject)))


def _flaw_point(
    evidence: Evidence, flaw: str, facts: FlawFacts | None, given: list[CheckVerdict]
) -> Point:
    verdict, state, because = _flaw_state(evidence, flaw, given)
    exercise = evidence.exercise_facts
    own = set(facts.competencies) if facts else set()
    for check in given:
        own.update(check.competencies)
    checks = {check.check for check in given} or set(facts.checks if facts else ())
    severity = facts.severity if facts else "high"
    # Anything but a plain answer may be, or may hide, a broken flow.
    plain = bool(given) and {check.verdict for check in given} <= PLAIN
    return Point(
        subject=flaw,
        kind="flaw",
        title=facts.title if facts else flaw,
        state=state,
        verdict=verdict,
        severity=severity,
        weight=WEIGHT[severity],
        cost=WEIGHT[severity] if plain else max(WEIGHT[severity], WEIGHT["high"]),
        checks=tuple(sorted(checks)),
        competencies=frozenset(own),
        implied=implied(exercise.kind, exercise.track),
        because=because,
    )


def _flaw_state(
    evidence: Evidence, flaw: str, given: list[CheckVerdict]
) -> tuple[Verdict, State, str]:
    """The verdict that the point carries, its state, and the words of the check behind it.

    A broken flow outweighs a vulnerable one here, so that one check more finding the flaw never
    lightens the charge.
    """
    if not given:
        if not evidence.service.started:
            return Verdict.NOT_REACHED, "unreached", "the service did not start"
        return Verdict.ERROR, "blocked", f"no check spoke about the flaw {flaw}"
    verdicts = {check.verdict for check in given}
    verdict = next(one for one in PRECEDENCE if one in verdicts)
    if verdict is Verdict.VULNERABLE and Verdict.BROKEN in verdicts:
        verdict = Verdict.BROKEN
    return verdict, _state(verdict, of_flaw=True), _because(given, verdict)


def _contract_point(check: str, given: list[CheckVerdict]) -> Point:
    verdicts = {one.verdict for one in given}
    verdict = next(one for one in PRECEDENCE if one in verdicts)
    named = frozenset(name for one in given for name in one.competencies)
    return Point(
        subject=check,
        kind="contract",
        title=min(one.summary for one in given) or check,
        state=_state(verdict, of_flaw=False),
        verdict=verdict,
        severity="high",
        weight=WEIGHT["high"],
        cost=WEIGHT["high"],
        checks=(check,),
        competencies=named or frozenset({"api.contract"}),
        because=_because(given, verdict),
    )


def _state(verdict: Verdict, *, of_flaw: bool) -> State:
    if verdict is Verdict.SECURE:
        return "earned" if of_flaw else "kept"
    if verdict in (Verdict.VULNERABLE, Verdict.BROKEN):
        return "lost"
    return "unreached" if verdict is Verdict.NOT_REACHED else "blocked"


def _because(given: list[CheckVerdict], verdict: Verdict) -> str:
    """What was seen by the first check, by id, that gave the verdict."""
    return min((one.check, one.because) for one in given if one.verdict is verdict)[1]


def _service_points(evidence: Evidence) -> list[Point]:
    if evidence.service.started:
        return []
    return [
        Point(
            subject=SERVICE,
            kind="service",
            title="The service starts and answers",
            state="lost",
            verdict=Verdict.BROKEN,
            severity="critical",
            weight=WEIGHT["critical"],
            cost=WEIGHT["critical"],
            checks=(SERVICE,),
            competencies=SERVICE_COMPETENCIES,
            because=evidence.service.failure or "it did not start",
        )
    ]


def _load_points(evidence: Evidence) -> list[Point]:
    """The load run's point; none where no load ran to its end.

    An untouched starter carries load as well as it ever did, which is nobody's merit: there load
    can only speak against.
    """
    load = evidence.load
    if load is None or load.failure is not None or not math.isfinite(load.ratio):
        return []
    if load.submission.requests <= 0 or load.reference.requests <= 0:
        return []
    excess = (
        load.submission.errors / load.submission.requests
        - load.reference.errors / load.reference.requests
    )
    state: State = "lost"
    if load.ratio >= LOAD_PARTLY and excess <= LOAD_MANY_ERRORS:
        state = "half"
    if load.ratio >= LOAD_MET and excess <= LOAD_FEW_ERRORS:
        state = "earned" if evidence.submission.diff.strip() else "kept"
    errors = f", with {excess:.1%} more errors" if excess > LOAD_FEW_ERRORS else ""
    return [
        Point(
            subject=LOAD,
            kind="load",
            title="The service carries the load that the reference carries",
            state=state,
            verdict=None,
            severity="high",
            weight=WEIGHT["high"],
            cost=WEIGHT["high"],
            checks=(LOAD,),
            competencies=LOAD_COMPETENCIES,
            because=f"throughput was {load.ratio:.0%} of the reference's{errors}",
        )
    ]
