"""The Markdown report tells the same, and outside text in it stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from reports.markdown import line, render_markdown, tick
from scoring.role import load_role
from scoring.scorecard import score
from tests.reports.pages import HOSTILE, SAMPLES, Page, poison
from tests.scoring import evidence_samples as samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from checks.evidence import Evidence


def rendered(text: str) -> Page:
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_requirement_and_flaw_stands_in_a_table(sample: Callable[[], Evidence]) -> None:
    evidence = sample()
    card = score(evidence, load_role("somnio"))
    read = rendered(render_markdown(evidence, card))
    cells = [tag for tag, _ in read.tags].count("td")
    figures = 14 if evidence.load else 0
    assert cells == 3 * (len(card.requirements) + len(evidence.flaws)) + figures
    assert card.headline in read.text
    for one in card.requirements:
        assert one.why in read.text


def test_a_vulnerable_flaw_has_its_lesson_and_its_replay() -> None:
    evidence = samples.partial()
    text = render_markdown(evidence, score(evidence, load_role("somnio")))
    part = text[text.index("### Two transfers at once") : text.index("## Legitimate flows")]
    assert "How it is fixed properly" in part
    assert "assay replay evidence.json concurrency/simultaneous_transfers_never_overdraw/1" in part


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_never_html(text: str) -> None:
    evidence = poison(samples.partial(), text)
    # Lessons come from the bank, and are Markdown by design.
    evidence = evidence.model_copy(update={"flaws": samples.partial().flaws})
    report = render_markdown(evidence, score(evidence, load_role("somnio")))
    report.encode("utf-8")
    tags = {tag for tag, _ in rendered(report).tags}
    assert not tags & {"script", "img", "svg", "style", "iframe", "a"}
    assert "\x1b" not in report
    assert len(report) < 2_000_000


def test_a_line_stays_a_line_and_a_tick_a_tick() -> None:
    assert "\n" not in line("a\nb\r\nc")
    assert line("a | b") == r"a \| b"
    assert "`" not in tick("`rm -rf`")
