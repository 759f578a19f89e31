"""The page says what the scorecard says, in order, and stands alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from checks.evidence import Evidence, Finding, Probe, ScheduleStep, StaticReport, Verdict
from reports.html import render_html
from reports.markdown import render_markdown
from scoring.role import load_role, role_ids
from scoring.scorecard import score
from tests.reports.pages import SAMPLES, Page, page
from tests.scoring import evidence_samples as samples
from tests.scoring.sample_flaws import FLAWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from scoring.scorecard import Scorecard


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("role", role_ids())
def test_a_page_is_well_formed_and_every_link_in_it_leads_somewhere(
    sample: Callable[[], Evidence], role: str
) -> None:
    read = page(sample(), role)
    assert not read.unbalanced
    assert len(set(read.ids)) == len(read.ids)
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)
    for _, given in read.tags:
        named = given.get("aria-labelledby")
        assert named is None or named in read.ids


def test_headings_never_skip_a_level() -> None:
    levels = page(samples.partial()).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_stands_alone() -> None:
    html = render_html(samples.partial(), score(samples.partial(), load_role("somnio")))
    assert not re.search(r"(src|href|action|data|poster)\s*=\s*[\"']?\s*(https?:|//)", html)
    assert not re.search(r"@import|url\(", html)
    assert not re.search(r"<(iframe|object|embed|link|img|form|base)\b", html)
    assert not re.search(r"\son\w+\s*=", html)
    assert not re.search(r"\sstyle\s*=", html)


def test_the_policy_allows_exactly_the_pages_own_style_and_script() -> None:
    html = render_html(samples.repaired(), score(samples.repaired(), load_role("somnio")))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy.group(1)
    assert "unsafe" not in policy.group(1)
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy.group(1)


def test_the_verdict_comes_first_and_the_rest_in_order() -> None:
    evidence = samples.partial()
    card = score(evidence, load_role("somnio"))
    html = render_html(evidence, card)
    sections = re.findall(r'<section id="([a-z-]+)"', html)
    assert sections == [
        "verdict", "requirements", "flaws", "flows", "difference", "load", "static",
        "not-assessed", "method",
    ]  # fmt: skip
    assert html.index(card.headline) < html.index('id="requirements"')
    for highlight in card.highlights:
        assert highlight.text.split(" (")[0] in Page(html).text


def test_every_requirement_stands_with_its_answer_and_its_reason() -> None:
    evidence = samples.partial()
    card = score(evidence, load_role("techflow"))
    html = render_html(evidence, card)
    for one in card.requirements:
        row = html[html.index(f'<tr id="req-{one.id}"') :]
        text = Page(row[: row.index("</tr>")]).text
        assert one.verdict.value.capitalize() in text
        assert one.name in text
        assert one.why in text


def test_each_flaw_has_its_story_its_lesson_and_a_question() -> None:
    evidence = samples.starter()
    html = render_html(evidence, score(evidence, load_role("somnio")))
    for seed in FLAWS:
        article = html[html.index(f'id="flaw-{seed.id}"') :]
        text = Page(article[: article.index("</article>")]).text
        for wanted in (seed.title, seed.rule, "Vulnerable", f"CWE-{seed.cwe}", seed.check):
            assert wanted in text
        assert f"assay replay evidence.json {seed.check}/1 SUBMISSION" in text
        for heading in ("Why it breaks", "How it is fixed properly", "Ask the candidate"):
            assert heading in text


def test_a_race_is_shown_as_lanes_and_a_fault_with_the_journal() -> None:
    html = render_html(samples.starter(), score(samples.starter(), load_role("somnio")))
    race = html[html.index('id="flaw-transfer-double-spend"') :]
    lanes = race[race.index('<table class="lanes') : race.index("</table>")]
    assert re.findall(r'<th scope="col">(\w+)</th>', lanes) == ["gate", "first", "second"]
    assert "LOCK TABLE entries" in lanes
    fault = html[html.index('id="flaw-psp-timeout-is-failure"') :]
    journal = fault[fault.index('<table class="journal">') :]
    journal = Page(journal[: journal.index("</table>")]).text
    assert "drop_after" in journal
    assert "att_901:1" in journal


def test_what_was_not_assessed_comes_with_a_question() -> None:
    evidence = samples.repaired()
    card = score(evidence, load_role("techflow"))
    html = render_html(evidence, card)
    section = html[html.index('<section id="not-assessed"') : html.index('<section id="method"')]
    text = Page(section).text
    for one in card.requirements:
        assert (one.question in text) == (one.verdict == "not assessed")


def _changed(evidence: Evidence, flaw: str, probes: tuple[Probe, ...]) -> Evidence:
    """The evidence, with other probes in a flaw's check."""
    verdicts = tuple(
        one.model_copy(update={"probes": probes}) if one.flaw == flaw else one
        for one in evidence.verdicts
    )
    return evidence.model_copy(update={"verdicts": verdicts})


def test_the_decisive_probe_comes_first_and_the_others_are_folded() -> None:
    starter = samples.starter()
    (check,) = (one for one in starter.verdicts if one.flaw == "payment-idor")
    passed, failed = check.probes[0], check.probes[1].model_copy(update={"decisive": True})
    evidence = _changed(starter, "payment-idor", (passed, failed))
    html = render_html(evidence, score(evidence, load_role("somnio")))
    flaw = html[html.index('id="flaw-payment-idor"') :]
    shown = flaw[flaw.index('<details class="probes" open') : flaw.index('class="lesson"')]
    first, rest = shown.split('<details class="probes">')
    assert failed.title in first.replace("&#39;", "'")
    assert passed.title not in first.replace("&#39;", "'")
    assert passed.title in rest.replace("&#39;", "'")
    assert "2 probes. 1 was decisive" in Page(flaw[: flaw.index("<details")]).text


@pytest.mark.parametrize("count", [3, 40])
def test_every_step_of_a_schedule_stands_in_a_lane(count: int) -> None:
    steps = tuple(ScheduleStep(at=n / 1000, lane=f"lane {n}", what=f"w{n}") for n in range(count))
    probe = Probe(id="concurrency/x#1", title="a crowd", schedule=steps, decisive=True)
    evidence = _changed(samples.starter(), "transfer-double-spend", (probe,))
    html = render_html(evidence, score(evidence, load_role("somnio")))
    text = Page(html[html.index("a crowd") :]).text
    for step in steps:
        assert step.what in text
        assert step.lane in text


def test_the_moment_in_which_it_goes_wrong_stands_out() -> None:
    steps = tuple(
        ScheduleStep(at=n / 1000, lane=f"request {n % 2}", what=f"w{n}", moment=n == 2)
        for n in range(4)
    )
    probe = Probe(id="concurrency/x#1", title="a race", schedule=steps, decisive=True)
    evidence = _changed(samples.starter(), "transfer-double-spend", (probe,))
    html = render_html(evidence, score(evidence, load_role("somnio")))
    lanes = html[html.index("a race") :]
    assert lanes.count('class="step moment"') == 1
    moment = lanes[lanes.index('class="step moment"') :]
    assert moment[: moment.index("</span>")].endswith("w2")


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_flaws_that_the_highlights_leave_out_are_named(
    render: Callable[[Evidence, Scorecard], str],
) -> None:
    evidence = samples.starter()
    card = score(evidence, load_role("somnio"))
    text = render(evidence, card)
    top = text[text.index("What matters most") : text.index("Ask in the interview")]
    for flaw in evidence.flaws:
        assert flaw.id in top or any(point.subject == flaw.id for point in card.highlights)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_a_scanners_suspicion_of_what_was_found_secure_is_answered(
    render: Callable[[Evidence, Scorecard], str],
) -> None:
    repaired, starter = samples.repaired(), samples.starter()
    (flaw,) = (one for one in repaired.flaws if one.id == "payment-idor")
    finding = Finding(
        tool="semgrep", rule="r", severity="high", cwe=flaw.cwe, path="a.py", line=1, message="M"
    )
    static = StaticReport(findings=(finding,))
    said = []
    for evidence in (repaired, starter):
        scanned = evidence.model_copy(update={"static": static})
        report = render(scanned, score(scanned, load_role("somnio")))
        said.append("The checks found" in report or "the checks found" in report)
    assert said == [True, False]


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_what_the_checks_leave_out_is_said(
    render: Callable[[Evidence, Scorecard], str],
) -> None:
    evidence = samples.partial()
    text = render(evidence, score(evidence, load_role("somnio")))
    left_out = text[text.index("This was not:") :]
    for flaw in evidence.flaws:
        assert f"Whether {flaw.id} comes back after a day." in left_out
    silent = tuple(flaw.model_copy(update={"untried": ()}) for flaw in evidence.flaws)
    without = evidence.model_copy(update={"flaws": silent})
    assert "This was not:" not in render(without, score(without, load_role("somnio")))


def test_blocked_and_unstarted_gradings_say_so_at_the_top() -> None:
    blocked = page(samples.blocked()).text
    assert blocked.index("our fault, not the candidate") < blocked.index("What matters most")
    never = page(samples.never_started()).text
    assert never.index("no such table accounts") < never.index("What matters most")
    assert "Traceback (most recent call last)" in never


def test_grading_without_confinement_is_said() -> None:
    evidence = samples.repaired()
    open_box = evidence.isolation.model_copy(update={"mechanism": "none"})
    text = page(evidence.model_copy(update={"isolation": open_box})).text
    assert "Graded without confinement" in text


def test_what_was_not_done_is_said() -> None:
    evidence = samples.build("bare", [], flaws=(), static=None, logs=(), diff="")
    text = page(evidence).text
    for said in ("No load was run", "The source was not scanned", "Nothing was changed",
                 "No contract check ran", "The exercise held no flaw"):  # fmt: skip
        assert said in text


def test_probes_with_one_slug_still_have_anchors_of_their_own() -> None:
    evidence = samples.starter()
    clashing = tuple(
        one.model_copy(
            update={
                "probes": tuple(
                    probe.model_copy(update={"id": f"A/{'!' * index}"})
                    for index, probe in enumerate(one.probes)
                )
            }
        )
        for one in evidence.verdicts
        if one.verdict is Verdict.VULNERABLE
    )
    read = page(evidence.model_copy(update={"verdicts": clashing[:1]}))
    assert len(set(read.ids)) == len(read.ids)


def test_a_page_is_the_same_after_a_round_trip_through_json() -> None:
    evidence = samples.partial()
    again = Evidence.model_validate(json.loads(evidence.to_json()))
    card = score(evidence, load_role("somnio"))
    assert render_html(again, card) == render_html(evidence, card)
