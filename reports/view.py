"""What a report shows, in its order: evidence and scorecard joined, before any markup."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from checks.evidence import PRECEDENCE, Verdict
from reports.anchors import Anchors
from reports.difference import FileDifference, files
from scoring.points import LOAD, SERVICE
from scoring.rules import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checks.evidence import CheckVerdict, Evidence, Finding, FlawFacts, Probe, Severity
    from scoring.role import Kind
    from scoring.scorecard import RequirementAnswer, Scorecard

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

#: What is shown at most: probes of a check, exchanges, journal entries and steps of a probe,
#: findings of the scanners, log tails.
MOST_PROBES = 24
MOST_EXCHANGES = 40
MOST_STEPS = 200
MOST_LANES = 12
MOST_FOREMOST = 3
MOST_FINDINGS = 200
MOST_LOGS = 12
MOST_UNTRIED = 8

KINDS: dict[Kind, str] = {"essential": "Essential", "duty": "Duties", "desirable": "Desirable"}


@dataclass(frozen=True, slots=True)
class FlawView:
    """One flaw: its facts where the evidence has them, its verdict and its checks."""

    id: str
    title: str
    anchor: str
    verdict: Verdict
    facts: FlawFacts | None
    checks: tuple[CheckVerdict, ...]

    @property
    def difference(self) -> tuple[FileDifference, ...]:
        """From the flawed code to the sound one, in the reference."""
        return files(self.facts.difference) if self.facts else ()

    @property
    def open(self) -> bool:
        """Whether the flaw's details stand open: it needs a reader's attention."""
        return self.verdict is not Verdict.SECURE

    @property
    def probes(self) -> int:
        """How many probes its checks made."""
        return sum(len(check.probes) for check in self.checks)


@dataclass(frozen=True, slots=True)
class KindView:
    """The requirements of one kind."""

    kind: Kind
    name: str
    answers: tuple[RequirementAnswer, ...]

    @property
    def by_answer(self) -> tuple[RequirementAnswer, ...]:
        """The answers, ``met`` first and ``not assessed`` last."""
        order = list(Answer)
        return tuple(sorted(self.answers, key=lambda one: order.index(one.verdict)))


@dataclass(frozen=True)
class View:
    """Everything that a report shows."""

    evidence: Evidence
    scorecard: Scorecard
    anchors: Anchors
    kinds: tuple[KindView, ...]
    flaws: tuple[FlawView, ...]
    flows: tuple[CheckVerdict, ...]
    difference: tuple[FileDifference, ...]
    findings: tuple[Finding, ...]
    known_findings: tuple[Finding, ...]

    @property
    def flaw_counts(self) -> dict[Verdict, int]:
        """How many flaws got which verdict, the gravest first."""
        given = Counter(flaw.verdict for flaw in self.flaws)
        return {verdict: given[verdict] for verdict in PRECEDENCE if given[verdict]}

    @cached_property
    def subjects(self) -> dict[str, str]:
        """The anchor under which the page shows what a scorecard cites."""
        found = {flaw.id: flaw.anchor for flaw in self.flaws}
        found |= {flow.check: self.anchors.of("check", f"{flow.check} ") for flow in self.flows}
        return found | {LOAD: "load", SERVICE: "logs" if self.evidence.logs else "method"}

    @property
    def not_assessed(self) -> tuple[RequirementAnswer, ...]:
        """The requirements without an answer, in the order of the role."""
        return tuple(
            one for kind in self.kinds for one in kind.answers if one.verdict is Answer.NOT_ASSESSED
        )

    @property
    def untried(self) -> tuple[tuple[FlawView, str], ...]:
        """What the checks of each flaw leave out, a sentence each."""
        return tuple(
            (flaw, sentence)
            for flaw in self.flaws
            if flaw.facts
            for sentence in flaw.facts.untried[:MOST_UNTRIED]
        )

    @property
    def also_open(self) -> tuple[FlawView, ...]:
        """The vulnerable and broken flaws that the highlights have no room for."""
        said = {point.subject for point in self.scorecard.highlights}
        bad = (Verdict.VULNERABLE, Verdict.BROKEN)
        return tuple(one for one in self.flaws if one.verdict in bad and one.id not in said)

    def names(self, requirements: Iterable[str]) -> tuple[str, ...]:
        """The names of requirements, by their ids."""
        known = {one.id: one.name for one in self.scorecard.requirements}
        return tuple(known.get(one, one) for one in requirements)

    def disproved(self, finding: Finding) -> FlawView | None:
        """The flaw that a scanner suspects here, where it is the only one and was found secure."""
        suspected = [
            flaw
            for flaw in self.flaws
            if flaw.facts and not set(flaw.facts.cwe).isdisjoint(finding.cwe)
        ]
        if len(suspected) == 1 and suspected[0].verdict is Verdict.SECURE:
            return suspected[0]
        return None

    def replay(self, probe: Probe) -> str:
        """The command that runs a probe again."""
        return shlex.join(["assay", "replay", "evidence.json", probe.id, "SUBMISSION"])


def view(evidence: Evidence, scorecard: Scorecard) -> View:
    """Joins evidence and scorecard for showing; total, and of bounded size."""
    anchors = Anchors()
    static = evidence.static.findings if evidence.static else ()
    return View(
        evidence=evidence,
        scorecard=scorecard,
        anchors=anchors,
        kinds=tuple(
            KindView(kind, name, chosen)
            for kind, name in KINDS.items()
            if (chosen := tuple(one for one in scorecard.requirements if one.kind == kind))
        ),
        flaws=flaw_views(evidence, anchors),
        flows=tuple(
            sorted(
                (one for one in evidence.verdicts if one.flaw is None),
                key=lambda one: (PRECEDENCE.index(one.verdict), one.check),
            )
        ),
        difference=files(evidence.submission.diff),
        findings=_ordered(one for one in static if not one.in_starter),
        known_findings=_ordered(one for one in static if one.in_starter),
    )


def flaw_views(evidence: Evidence, anchors: Anchors | None = None) -> tuple[FlawView, ...]:
    """The flaws, those that need attention first and the gravest of them first."""
    anchors = anchors or Anchors()
    facts = {flaw.id: flaw for flaw in evidence.flaws}
    spoken = {one.flaw for one in evidence.verdicts if one.flaw is not None}
    found = [
        _flaw(evidence, name, facts.get(name), anchors, spoken) for name in facts.keys() | spoken
    ]
    return tuple(
        sorted(
            found,
            key=lambda flaw: (
                _ATTENTION.index(flaw.verdict),
                SEVERITIES.index(flaw.facts.severity) if flaw.facts else 1,
                flaw.id,
            ),
        )
    )


#: The order in which flaws are shown.
_ATTENTION = (
    Verdict.VULNERABLE,
    Verdict.BROKEN,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_REACHED,
    Verdict.SECURE,
)


def _flaw(
    evidence: Evidence, name: str, facts: FlawFacts | None, anchors: Anchors, spoken: set[str]
) -> FlawView:
    if name in spoken:
        verdict = evidence.flaw_verdict(name)
    else:
        verdict = Verdict.ERROR if evidence.service.started else Verdict.NOT_REACHED
    checks = (one for one in evidence.verdicts if one.flaw == name)
    return FlawView(
        id=name,
        title=facts.title if facts else name,
        anchor=anchors.of("flaw", name),
        verdict=verdict,
        facts=facts,
        checks=tuple(sorted(checks, key=lambda one: (PRECEDENCE.index(one.verdict), one.check))),
    )


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(
        sorted(
            findings, key=lambda one: (SEVERITIES.index(one.severity), one.path, one.line, one.rule)
        )
    )
