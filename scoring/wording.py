"""The sentences of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring.competencies import competencies
from scoring.points import LOAD
from scoring.rules import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from checks.evidence import Evidence
    from scoring.points import Point, State
    from scoring.role import Requirement, Source
    from scoring.rules import Conclusion

#: How many names a sentence lists before it says how many more there are.
LISTED = 3

#: Competencies whose names keep their capital inside a sentence.
PROPER = frozenset({"API contract", "Go", "Python", "FastAPI", "Django", "Flask"})

SOURCES: dict[Source, str] = {
    "auto": "automatic checks",
    "review": "a review exercise",
    "tests": "the candidate's own tests",
    "rubric": "a person with a rubric",
    "ask": "an interview",
}


def listing(names: Iterable[str], limit: int = LISTED, last: str = "and") -> str:
    """``a, b and c``, or ``a, b, c and 4 more``."""
    found = list(names)
    if len(found) > limit + 1:
        return f"{', '.join(found[:limit])} {last} {len(found) - limit} more"
    if len(found) < 2:  # noqa: PLR2004
        return "".join(found)
    return f"{', '.join(found[:-1])} {last} {found[-1]}"


def count_sentence(total: int, met: int, partly: int, not_met: int, not_assessed: int) -> str:
    """Such as ``Of 9 essential requirements 8 were assessed: 5 met, 2 partly met, 1 not met.``"""
    if not_assessed == total:
        return f"None of the {total} essential requirements was assessed."
    said = [(met, "met"), (partly, "partly met"), (not_met, "not met")]
    answered = ", ".join(f"{count} {what}" for count, what in said if count)
    assessed = total - not_assessed
    how_many = f"all {total}" if not not_assessed else str(assessed)
    were = "was" if assessed == 1 else "were"
    return f"Of {total} essential requirements {how_many} {were} assessed: {answered}."


def blocked_sentence(found: Sequence[Point]) -> str | None:
    """What the harness gave no verdict on and why, or ``None``."""
    stopped = [point for point in found if point.state == "blocked"]
    if not stopped:
        return None
    first = stopped[0]
    verdict = first.verdict.value if first.verdict else "error"
    more = f", and {len(stopped) - 1} more" if len(stopped) > 1 else ""
    because = first.because.strip().rstrip(".") or "no reason was recorded"
    return (
        f"No verdict on {first.subject} ({verdict}: {because}){more}; "
        "requirements that rest on it are not concluded."
    )


def deciding(conclusion: Conclusion, bearing: Sequence[Point]) -> tuple[str, ...]:
    """The ids of the checks behind an answer, those that weigh most first.

    ``met`` cites what was earned, ``not met`` what was lost, ``partly`` both, and an answer that
    could not be given what stood in its way.
    """
    if conclusion.reason == "service":
        states: tuple[State, ...] = ("lost",)
        bearing = [point for point in bearing if point.kind == "service"]
    elif conclusion.answer is Answer.NOT_ASSESSED:
        states = ("blocked",) if conclusion.reason == "blocked" else ("unreached",)
    elif conclusion.answer is Answer.NOT_MET:
        states = ("lost", "half", "unreached")
    else:
        states = ("lost", "half", "unreached", "earned")
    chosen = sorted(
        (point for point in bearing if point.state in states),
        key=lambda point: (states.index(point.state), -point.weight, point.subject),
    )
    return tuple(dict.fromkeys(check for point in chosen for check in point.checks))


def why(
    requirement: Requirement, conclusion: Conclusion, bearing: Sequence[Point], evidence: Evidence
) -> str:
    """Why a requirement got its answer, in a sentence or two."""
    if "auto" not in requirement.evidence:
        return f"Needs {_sources(requirement.evidence)}, which this grading did not have."
    said = [_reason(requirement, conclusion, bearing, evidence)]
    if conclusion.answer is Answer.NOT_ASSESSED:
        return " ".join(said)
    unasked = [name for name in requirement.competencies if name not in conclusion.asked]
    if unasked and conclusion.reason != "narrow":
        said.append(f"Nothing here asked about {_names(unasked)}.")
    others = [source for source in requirement.evidence if source != "auto"]
    if others:
        said.append(f"On automatic evidence only: {_sources(others)} would add to it.")
    return " ".join(said)


def _reason(
    requirement: Requirement, conclusion: Conclusion, bearing: Sequence[Point], evidence: Evidence
) -> str:
    match conclusion.reason:
        case "service":
            said = f"The service never ran: {_clause(bearing, 'lost')}."
        case "blocked":
            stopped = listing(_subjects(bearing, "blocked"))
            said = f"Not concluded: the harness gave no verdict on {stopped}."
        case "unreached":
            said = _unreached(bearing, evidence)
        case "only kept":
            said = "What was asked worked in the starter already: it says nothing of the candidate."
        case "nothing":
            said = _nothing(requirement, evidence)
        case "narrow":
            rest = [name for name in requirement.competencies if name not in conclusion.shown]
            said = f"What was asked is in order, but no flaw here bears on {_names(rest)}."
            if "performance.throughput" in rest and evidence.load is None:
                said = "What was asked is in order, but no load was run."
        case "in part":
            said = f"{_weighed(bearing)} A grading can show a part of it only."
        case "weighed":
            said = _weighed(bearing)
    return said


def _unreached(bearing: Sequence[Point], evidence: Evidence) -> str:
    hidden = listing(_subjects(bearing, "unreached"))
    if not evidence.service.started:
        return f"Not concluded: the service did not start, so {hidden} could not be reached."
    asked = {check for point in bearing if point.state == "unreached" for check in point.checks}
    verdicts = [one for one in evidence.verdicts if one.check in asked]
    behind = sorted({one.blocked_by for one in verdicts if one.blocked_by})
    cause = f", because {listing(behind)} is broken" if behind else ""
    return f"Not concluded: {hidden} could not be reached{cause}, and the answer hangs on it."


def _nothing(requirement: Requirement, evidence: Evidence) -> str:
    facts = evidence.exercise_facts
    if "language.go" in requirement.competencies and facts.track != "go":
        return f"The exercise was done on the {facts.track} track, which shows nothing of Go."
    load = evidence.load
    if "performance.throughput" in requirement.competencies:
        if load is not None and load.failure:
            return f"The load run gave no figures: {load.failure.rstrip('.')}."
        if load is None:
            return "No load was run in this grading."
    return f"No flaw of this exercise asks about {_names(requirement.competencies)}."


def _weighed(bearing: Sequence[Point]) -> str:
    flaws = [point for point in bearing if point.kind == "flaw"]
    earned = [point for point in flaws if point.state == "earned"]
    said: list[str] = []
    if flaws:
        which = "flaw that bears on it" if len(flaws) == 1 else "flaws that bear on it"
        is_are = "is" if len(earned) == 1 else "are"
        said.append(f"{len(earned)} of {len(flaws)} {which} {is_are} gone{_by_weight(flaws)}")
    lost = _subjects([point for point in flaws if point.verdict == "vulnerable"], "lost")
    if lost:
        said.append(f"{listing(lost)} still {'stand' if len(lost) > 1 else 'stands'}")
    broken = _subjects([point for point in flaws if point.verdict == "broken"], "lost")
    if broken:
        said.append(f"mending {listing(broken)} broke a legitimate flow")
    hidden = _subjects(flaws, "unreached")
    if hidden:
        said.append(f"{listing(hidden)} could not be reached, and would not change the answer")
    flows = _subjects([point for point in bearing if point.kind == "contract"], "lost")
    if flows:
        said.append(f"the documented behaviour is broken in {listing(flows)}")
    load = [point for point in bearing if point.subject == LOAD]
    said += [f"under load, {point.because}" for point in load]
    sentence = "; ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _by_weight(flaws: Sequence[Point]) -> str:
    """Which part that is by severity, where some are gone and some stand."""
    earned = sum(point.weight for point in flaws if point.state == "earned")
    lost = sum(point.cost for point in flaws if point.state == "lost")
    return f" ({earned / (earned + lost):.0%} by severity)" if earned and lost else ""


def _subjects(bearing: Iterable[Point], state: State) -> list[str]:
    chosen = [point for point in bearing if point.state == state]
    return [p.subject for p in sorted(chosen, key=lambda one: (-one.weight, one.subject))]


def _clause(bearing: Iterable[Point], state: State) -> str:
    found = [point.because for point in bearing if point.state == state and point.kind == "service"]
    return "; ".join(found).strip().rstrip(".")


def _names(ids: Iterable[str]) -> str:
    """Competencies that nothing spoke about."""
    known = competencies()
    names = [known[name].name for name in ids if name in known]
    inside = [name if name in PROPER else name[:1].lower() + name[1:] for name in names]
    return listing(inside, 4, "or")


def _sources(sources: Iterable[Source]) -> str:
    return " and ".join(SOURCES[source] for source in sources)
