"""The laws that scoring keeps on any evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from checks.evidence import CheckVerdict, Evidence, LoadReport, ServiceState, Verdict
from scoring.competencies import competencies
from scoring.role import load_role, role_ids
from scoring.rules import Answer
from scoring.scorecard import Scorecard, score
from tests.scoring import evidence_samples as samples
from tests.scoring.sample_flaws import FLAWS, SOUND_DIFF, facts

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

SOMNIO = load_role("somnio")


def answers(card: Scorecard) -> dict[str, Answer]:
    return {one.id: one.verdict for one in card.requirements}


VERDICTS = st.sampled_from(list(Verdict))
NAMES = st.sampled_from(sorted(competencies()))
SEVERITIES = st.sampled_from(["critical", "high", "medium", "low"])


@st.composite
def evidences(draw: st.DrawFn, verdicts: st.SearchStrategy[Verdict] = VERDICTS) -> Evidence:
    """Any evidence: flaws with several checks or none, unknown flaws, flows, load or none."""
    flaws = [
        facts(seed).model_copy(
            update={
                "severity": draw(SEVERITIES),
                "competencies": tuple(draw(st.sets(NAMES, min_size=1, max_size=3))),
            }
        )
        for seed in draw(st.lists(st.sampled_from(FLAWS), max_size=6, unique=True))
    ]
    names = [flaw.id for flaw in flaws] + ["unheard-of"] * draw(st.booleans())
    given = [
        CheckVerdict(check=f"{name}/{index}", flaw=name, verdict=draw(verdicts), summary="A rule.")
        for name in names
        for index in range(draw(st.integers(0, 3)))
    ]
    given += [
        CheckVerdict(
            check=f"contract/{index}",
            flaw=None,
            verdict=draw(verdicts),
            summary="",
            competencies=tuple(draw(st.sets(NAMES, max_size=2))),
        )
        for index in range(draw(st.integers(0, 3)))
    ]
    load = draw(st.none() | st.floats().map(_load))
    started = draw(st.sampled_from([True, True, True, False]))
    built = samples.build(
        "any", given, flaws=(), load=load, diff=draw(st.sampled_from(["", SOUND_DIFF])),
        service=ServiceState(started=started),
    )  # fmt: skip
    return built.model_copy(update={"flaws": tuple(flaws)})


def _load(ratio: float) -> LoadReport:
    return samples.load_report().model_copy(update={"ratio": ratio})


RANK = {Answer.NOT_MET: 0, Answer.PARTLY: 1, Answer.MET: 2}


def never_better(before: Evidence, after: Evidence) -> None:
    """No requirement of any role is better answered after than before."""
    for role in map(load_role, role_ids()):
        was, now = answers(score(before, role)), answers(score(after, role))
        for name, answer in now.items():
            if answer is Answer.NOT_ASSESSED:
                continue
            if was[name] is Answer.NOT_ASSESSED:
                assert answer is not Answer.MET, (role.id, name)
            else:
                assert RANK[answer] <= RANK[was[name]], (role.id, name)


def changed(
    evidence: Evidence, wanted: Callable[[CheckVerdict], bool], verdict: Verdict
) -> Evidence | None:
    """The evidence with the first verdict that is wanted turned into another; or None."""
    for index, one in enumerate(evidence.verdicts):
        if wanted(one):
            turned = one.model_copy(update={"verdict": verdict})
            verdicts = (*evidence.verdicts[:index], turned, *evidence.verdicts[index + 1 :])
            return evidence.model_copy(update={"verdicts": verdicts})
    return None


@settings(max_examples=150, deadline=None)
@given(evidences())
def test_scoring_answers_any_evidence(evidence: Evidence) -> None:
    for role in map(load_role, role_ids()):
        card = score(evidence, role)
        assert [one.id for one in card.requirements] == [one.id for one in role.requirements]
        assert bool(card.blocked) == _blocks(evidence)
        assert Scorecard.model_validate_json(card.to_json()) == card


def _blocks(evidence: Evidence) -> bool:
    """Whether some flaw or flow has no verdict by the harness's own fault."""
    stops = (Verdict.ERROR, Verdict.INCONCLUSIVE)
    spoken = {one.flaw for one in evidence.verdicts if one.flaw}
    silent = {flaw.id for flaw in evidence.flaws} - spoken
    return (
        any(evidence.flaw_verdict(flaw) in stops for flaw in spoken)
        or any(one.verdict in stops for one in evidence.verdicts if one.flaw is None)
        or (evidence.service.started and bool(silent))
    )


@settings(max_examples=60, deadline=None)
@given(evidences(), st.randoms(use_true_random=False))
def test_order_means_nothing(evidence: Evidence, order: random.Random) -> None:
    verdicts, flaws = list(evidence.verdicts), list(evidence.flaws)
    order.shuffle(verdicts)
    order.shuffle(flaws)
    shuffled = evidence.model_copy(update={"verdicts": tuple(verdicts), "flaws": tuple(flaws)})
    assert score(shuffled, SOMNIO) == score(evidence, SOMNIO)


@settings(max_examples=150, deadline=None)
@given(evidences())
def test_a_flaw_that_is_found_never_improves_an_answer(evidence: Evidence) -> None:
    worse = changed(
        evidence, lambda one: bool(one.flaw) and one.verdict is Verdict.SECURE, Verdict.VULNERABLE
    )
    if worse is not None:
        never_better(evidence, worse)


@settings(max_examples=100, deadline=None)
@given(evidences())
def test_a_repair_that_breaks_a_flow_is_never_better_than_the_flaw(evidence: Evidence) -> None:
    worse = changed(
        evidence, lambda one: bool(one.flaw) and one.verdict is Verdict.VULNERABLE, Verdict.BROKEN
    )
    if worse is not None:
        never_better(evidence, worse)


@settings(max_examples=100, deadline=None)
@given(evidences())
def test_breaking_a_legitimate_flow_never_improves_an_answer(evidence: Evidence) -> None:
    worse = changed(
        evidence, lambda one: one.flaw is None and one.verdict is Verdict.SECURE, Verdict.BROKEN
    )
    if worse is not None:
        never_better(evidence, worse)


@settings(max_examples=150, deadline=None)
@given(evidences(), st.sampled_from([Verdict.NOT_REACHED, Verdict.ERROR, Verdict.INCONCLUSIVE]))
def test_hiding_a_verdict_never_improves_an_answer(evidence: Evidence, hidden: Verdict) -> None:
    """Breaking what a check builds on, or crashing it, can hide a verdict but never better it."""
    after = changed(
        evidence, lambda one: one.verdict in (Verdict.VULNERABLE, Verdict.SECURE), hidden
    )
    if after is None:
        return
    for role in map(load_role, role_ids()):
        was, now = answers(score(evidence, role)), answers(score(after, role))
        for name, answer in now.items():
            if Answer.NOT_ASSESSED not in (answer, was[name]):
                assert RANK[answer] <= RANK[was[name]]
            assert not (answer is Answer.MET and was[name] is not Answer.MET)


@settings(max_examples=100, deadline=None)
@given(evidences())
def test_a_critical_flaw_that_stands_is_never_met(evidence: Evidence) -> None:
    standing = {
        name
        for flaw in evidence.flaws
        if flaw.severity == "critical"
        and Verdict.VULNERABLE in {one.verdict for one in evidence.verdicts if one.flaw == flaw.id}
        for name in flaw.competencies
    }
    for role in map(load_role, role_ids()):
        card = score(evidence, role)
        wanted = {one.id: set(one.competencies) for one in role.requirements}
        for one in card.requirements:
            assert not (one.verdict is Answer.MET and standing & wanted[one.id])
