"""Text that a candidate or a service chooses is shown as text, and the page stays bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reports.html import render_html
from scoring.role import load_role
from scoring.scorecard import score
from tests.reports.pages import HOSTILE, Page, poison
from tests.scoring import evidence_samples as samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from checks.evidence import Evidence


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("sample", [samples.partial, samples.never_started])
def test_hostile_text_is_shown_as_text(sample: Callable[[], Evidence], text: str) -> None:
    evidence = poison(sample(), text)
    html = render_html(evidence, score(evidence, load_role("somnio")))
    html.encode("utf-8")
    read = Page(html)
    assert not read.unbalanced
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not {tag for tag, _ in read.tags} & {"img", "iframe", "form", "textarea", "b2"}
    for _, given in read.tags:
        assert not any(name.startswith("on") for name in given)
        assert not str(given.get("href", "#")).startswith("javascript")
    hidden = re.compile(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
    )
    assert not hidden.search(html)
    assert len(html) < 12_000_000


def test_a_lesson_is_markdown_but_never_html() -> None:
    evidence = samples.starter()
    lesson = evidence.flaws[0].lesson.model_copy(
        update={
            "why": "<script>alert(1)</script> ![x](https://example.org/x.png) "
            "[bad](javascript:alert(1)) **bold**"
        }
    )
    flaw = evidence.flaws[0].model_copy(update={"lesson": lesson})
    evidence = evidence.model_copy(update={"flaws": (flaw, *evidence.flaws[1:])})
    html = render_html(evidence, score(evidence, load_role("somnio")))
    read = Page(html)
    assert "<strong>bold</strong>" in html
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not [tag for tag, _ in read.tags if tag == "img"]
    assert not any(link.startswith("javascript") for link in read.links)


def test_the_page_stays_bounded_whatever_the_evidence() -> None:
    evidence = samples.starter()
    flooded = []
    for one in evidence.verdicts:
        probes = []
        for probe in one.probes:
            message = probe.exchanges[0].request.model_copy(update={"body": "x" * 1_000_000})
            exchange = probe.exchanges[0].model_copy(update={"request": message})
            probes.append(probe.model_copy(update={"exchanges": (exchange,) * 500}))
        flooded.append(one.model_copy(update={"probes": tuple(probes)}))
    diff = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,90000 @@\n" + (
        "+x = 1\n" * 90_000
    )
    evidence = evidence.model_copy(
        update={
            "verdicts": tuple(flooded),
            "submission": evidence.submission.model_copy(update={"diff": diff}),
        }
    )
    html = render_html(evidence, score(evidence, load_role("somnio")))
    assert len(html) < 12_000_000
    assert "more characters are not shown" in html
    assert "more requests are not shown" in html
    assert "more lines are not shown" in html
