"""What the scorecard answers on gradings as they come, and the laws that hold on any evidence."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.evidence import CheckVerdict, Evidence, LoadReport, ServiceState, Verdict
from scoring.competencies import competencies
from scoring.role import load_role, role_ids
from scoring.rules import Answer
from scoring.scorecard import Scorecard, score
from tests.scoring import evidence_samples as samples

if TYPE_CHECKING:
    from collections.abc import Callable

SOMNIO = load_role("somnio")
TECHFLOW = load_role("techflow")


def answers(card: Scorecard) -> dict[str, Answer]:
    return {one.id: one.verdict for one in card.requirements}


def test_an_untouched_starter_meets_nothing() -> None:
    for role in role_ids():
        given = answers(score(samples.starter(), load_role(role)))
        assert set(given.values()) <= {Answer.NOT_MET, Answer.NOT_ASSESSED}
        assert Answer.NOT_MET in given.values()


def test_a_full_repair_meets_all_that_was_asked() -> None:
    card = score(samples.repaired(), SOMNIO)
    met = {"distributed-patterns", "security-review", "defensive", "api-design"}
    met |= {"transactions", "fintech"}
    assert {one.id for one in card.requirements if one.verdict is Answer.MET} == met
    assert card.headline == "6 of 12 essential requirements met, 1 partly, 5 not assessed."
    assert card.blocked is None


def test_a_framework_alone_answers_a_requirement_of_three_only_partly() -> None:
    card = score(samples.repaired(), SOMNIO)
    frameworks = next(one for one in card.requirements if one.id == "frameworks")
    assert frameworks.verdict is Answer.PARTLY
    assert "Django and Flask" in frameworks.why
    assert frameworks.unasked == ("framework.django", "framework.flask")


def test_what_must_be_asked_and_was_not_is_never_met() -> None:
    card = score(samples.repaired(), TECHFLOW)
    brokers = next(one for one in card.requirements if one.id == "brokers-and-sql")
    assert brokers.verdict is Answer.PARTLY
    assert "events and brokers" in brokers.why


def test_an_answer_cites_the_checks_behind_it() -> None:
    card = score(samples.partial(), SOMNIO)
    transactions = next(one for one in card.requirements if one.id == "transactions")
    assert transactions.verdict is Answer.NOT_MET
    assert transactions.because == (
        "concurrency/simultaneous_transfers_never_overdraw",
        "idempotency/twins_take_effect_once",
        "load/a_page_costs_a_bounded_number_of_statements",
    )
    assert "transfer-double-spend" in transactions.why


def test_a_repair_that_breaks_a_flow_weighs_at_least_as_much_as_the_flaw() -> None:
    seed = next(one for one in samples.FLAWS if one.id == "n-plus-one")
    low = samples.build("one", [samples.flaw_verdict(seed, Verdict.BROKEN)], flaws=(seed,))
    card = score(low, load_role("innovatetech-sf"))
    assert answers(card)["sql"] is Answer.NOT_MET
    assert any("broke the legitimate flow" in one.text for one in card.highlights)


def test_an_error_blocks_what_rests_on_it_and_nothing_else() -> None:
    card = score(samples.blocked(), SOMNIO)
    assert card.blocked is not None
    assert "jwt-claims" in card.blocked
    assert "ConnectionError" in card.blocked
    assert card.headline.startswith("Blocked")
    given = answers(card)
    assert given["security-review"] is Answer.NOT_ASSESSED
    assert given["transactions"] is Answer.NOT_ASSESSED
    assert given["distributed-patterns"] is Answer.MET


def test_a_flaw_that_no_check_spoke_about_blocks() -> None:
    evidence = samples.build("gap", [*samples.flows()])
    card = score(evidence, SOMNIO)
    assert card.blocked is not None
    assert "no check spoke" in card.blocked


def test_a_broken_flow_is_charged_once() -> None:
    card = score(samples.broken_flow(), SOMNIO)
    given = answers(card)
    assert given["api-design"] is Answer.PARTLY
    assert given["security-review"] is Answer.NOT_ASSESSED
    assert Answer.NOT_MET not in given.values()
    assert card.blocked is None
    assert card.highlights[0].subject == "contract/payments"


def test_a_service_that_never_started_is_said_first_and_charged_to_the_contract() -> None:
    card = score(samples.never_started(), load_role("innovatetech-london"))
    given = answers(card)
    assert card.headline.startswith("The service did not start.")
    assert card.highlights[0].subject == "service/starts"
    assert given["api-design"] is Answer.NOT_MET
    assert given["debugging"] is Answer.NOT_MET
    assert {given["databases"], given["security-compliance"]} == {Answer.NOT_ASSESSED}
    assert card.blocked is None


def test_go_is_not_assessed_on_the_fastapi_track() -> None:
    card = score(samples.repaired(), TECHFLOW)
    go = next(one for one in card.requirements if one.id == "go")
    assert go.verdict is Answer.NOT_ASSESSED
    assert "fastapi track" in go.why
    assert go.question


def test_automatic_evidence_says_what_else_there_could_be() -> None:
    card = score(samples.repaired(), SOMNIO)
    eye = next(one for one in card.requirements if one.id == "security-review")
    assert eye.verdict is Answer.MET
    assert "automatic evidence only" in eye.why
    assert eye.open == ("review",)


@pytest.mark.parametrize(
    ("ratio", "answer"), [(0.93, Answer.MET), (0.8, Answer.MET), (0.65, Answer.PARTLY),
                          (0.49, Answer.NOT_MET), (float("nan"), Answer.PARTLY)]
)  # fmt: skip
def test_load_is_read_against_the_reference(ratio: float, answer: Answer) -> None:
    seed = next(one for one in samples.FLAWS if one.id == "n-plus-one")
    load = samples.load_report().model_copy(update={"ratio": ratio})
    evidence = samples.build(
        "loaded", [samples.flaw_verdict(seed, Verdict.SECURE)], flaws=(seed,), load=load
    )
    assert answers(score(evidence, load_role("innovatetech-london")))["high-traffic"] is answer


def test_fast_errors_are_no_throughput() -> None:
    load = samples.load_report(1.4)
    failing = load.submission.model_copy(update={"errors": load.submission.requests // 2})
    evidence = samples.build(
        "errors", [], flaws=(), load=load.model_copy(update={"submission": failing})
    )
    throughput = next(
        one for one in score(evidence, TECHFLOW).requirements if one.id == "throughput"
    )
    assert throughput.verdict is Answer.NOT_MET
    assert "more errors" in throughput.why


def test_a_load_run_that_failed_says_nothing_and_why() -> None:
    load = samples.load_report().model_copy(update={"failure": "No user could log in."})
    card = score(samples.build("failed", [], flaws=(), load=load), TECHFLOW)
    throughput = next(one for one in card.requirements if one.id == "throughput")
    assert throughput.verdict is Answer.NOT_ASSESSED
    assert "No user could log in" in throughput.why


def test_an_untouched_starter_earns_nothing_by_load() -> None:
    card = score(samples.build("same", [], flaws=(), diff="", load=samples.load_report()), TECHFLOW)
    throughput = next(one for one in card.requirements if one.id == "throughput")
    assert throughput.verdict is Answer.NOT_ASSESSED
    assert "starter already" in throughput.why


def test_the_first_page_has_three_points_and_three_questions() -> None:
    for sample in (samples.starter, samples.partial, samples.repaired):
        card = score(sample(), SOMNIO)
        assert len(card.highlights) == 3
        assert len(card.questions) == 3
        assert any(question.requirement for question in card.questions)


def test_the_json_has_the_documented_shape() -> None:
    document = json.loads(score(samples.partial(), SOMNIO).to_json())
    assert document["schema"] == 1
    assert document["role"] == "somnio"
    assert document["blocked"] is None
    for one in document["requirements"]:
        assert one["kind"] in ("essential", "duty", "desirable")
        assert one["verdict"] in ("met", "partly", "not met", "not assessed")
        assert all(isinstance(check, str) for check in one["because"])
    assert Scorecard.model_validate(document) == score(samples.partial(), SOMNIO)


# The laws.

VERDICTS = st.sampled_from(list(Verdict))
NAMES = st.sampled_from(sorted(competencies()))
SEVERITIES = st.sampled_from(["critical", "high", "medium", "low"])


@st.composite
def evidences(draw: st.DrawFn, verdicts: st.SearchStrategy[Verdict] = VERDICTS) -> Evidence:
    """Any evidence: flaws with several checks or none, unknown flaws, flows, load or none."""
    flaws = [
        samples.facts(seed).model_copy(
            update={
                "severity": draw(SEVERITIES),
                "competencies": tuple(draw(st.sets(NAMES, min_size=1, max_size=3))),
            }
        )
        for seed in draw(st.lists(st.sampled_from(samples.FLAWS), max_size=6, unique=True))
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
        "any", given, flaws=(), load=load, diff=draw(st.sampled_from(["", samples.SOUND_DIFF])),
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


def test_a_lone_surrogate_in_evidence_does_not_stop_its_json() -> None:
    evidence = samples.starter()
    named = evidence.submission.model_copy(update={"name": "lone \ud800 surrogate"})
    evidence = evidence.model_copy(update={"submission": named})
    for text in (evidence.to_json(), score(evidence, SOMNIO).to_json()):
        assert "lone ? surrogate" in text
        text.encode("utf-8")
