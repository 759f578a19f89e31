"""What the scorecard answers on gradings as they come."""

from __future__ import annotations

import json

import pytest

from checks.evidence import Verdict
from scoring.role import load_role, role_ids
from scoring.rules import Answer
from scoring.scorecard import Scorecard, score
from tests.scoring import evidence_samples as samples
from tests.scoring.sample_flaws import FLAWS

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
    met.add("transactions")
    assert {one.id for one in card.requirements if one.verdict is Answer.MET} == met
    assert card.headline == "Of 12 essential requirements 7 were assessed: 5 met, 2 partly met."
    assert card.blocked is None


def test_a_framework_alone_answers_a_requirement_of_three_only_partly() -> None:
    card = score(samples.repaired(), SOMNIO)
    frameworks = next(one for one in card.requirements if one.id == "frameworks")
    assert frameworks.verdict is Answer.PARTLY
    assert "no flaw here bears on Django or Flask" in frameworks.why
    assert frameworks.unasked == ("framework.django", "framework.flask")


def test_what_a_grading_cannot_show_whole_is_met_partly_at_most() -> None:
    """Knowing regulation is a part of it that no repair shows."""
    card = score(samples.repaired(), SOMNIO)
    fintech = next(one for one in card.requirements if one.id == "fintech")
    assert fintech.verdict is Answer.PARTLY
    assert "A grading can show a part of it only." in fintech.why
    assert "regulation" in fintech.limits


def test_what_must_be_asked_and_was_not_is_never_met() -> None:
    card = score(samples.repaired(), TECHFLOW)
    brokers = next(one for one in card.requirements if one.id == "brokers-and-sql")
    assert brokers.verdict is Answer.PARTLY
    assert "events and brokers" in brokers.why


def test_flows_that_still_work_show_nothing_of_the_candidate() -> None:
    seed = next(one for one in FLAWS if one.id == "negative-amount")
    verdicts = [samples.flaw_verdict(seed, Verdict.SECURE)]
    for competency in ("api.contract", "api.pagination"):
        flow = samples.flow_verdict(f"contract/{competency}", "A flow.", Verdict.SECURE)
        verdicts.append(flow.model_copy(update={"competencies": (competency,)}))
    card = score(samples.build("narrow", verdicts, flaws=(seed,)), SOMNIO)
    design = next(one for one in card.requirements if one.id == "api-design")
    assert design.verdict is Answer.PARTLY
    assert design.unasked == ()
    assert "no flaw here bears on" in design.why
    assert design.because == ("money/amounts_are_positive_integers",)


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
    seed = next(one for one in FLAWS if one.id == "n-plus-one")
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


def test_what_is_behind_some_checks_is_not_said_to_be_behind_another() -> None:
    """A check may be unable to speak, with nothing behind it, while others build on a fault."""
    evidence = samples.broken_flow()
    verdicts = tuple(
        one.model_copy(update={"blocked_by": None}) if one.flaw == "over-refund-race" else one
        for one in evidence.verdicts
    )
    card = score(evidence.model_copy(update={"verdicts": verdicts}), SOMNIO)
    why = {one.id: one.why for one in card.requirements}
    assert "over-refund-race could not be reached, and the answer hangs" in why["transactions"]
    assert "because contract/payments is broken" in why["distributed-patterns"]


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
    seed = next(one for one in FLAWS if one.id == "n-plus-one")
    load = samples.load_report().model_copy(update={"ratio": ratio})
    evidence = samples.build(
        "loaded", [samples.flaw_verdict(seed, Verdict.SECURE)], flaws=(seed,), load=load
    )
    assert answers(score(evidence, load_role("innovatetech-sf")))["high-throughput"] is answer


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


def test_a_lone_surrogate_in_evidence_does_not_stop_its_json() -> None:
    evidence = samples.starter()
    named = evidence.submission.model_copy(update={"name": "lone \ud800 surrogate"})
    evidence = evidence.model_copy(update={"submission": named})
    for text in (evidence.to_json(), score(evidence, SOMNIO).to_json()):
        assert "lone ? surrogate" in text
        text.encode("utf-8")
