"""The tables on the terminal: what they say, and that outside text cannot drive the terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from reports.terminal import Graded, comparison, summary
from scoring.role import load_role
from scoring.scorecard import score
from tests.reports.pages import HOSTILE, SAMPLES, poison
from tests.scoring import evidence_samples as samples
from tests.scoring.sample_flaws import FLAWS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from checks.evidence import Evidence


def printed(renderable: RenderableType, *, colour: bool = False) -> str:
    out = io.StringIO()
    Console(
        file=out, width=160, force_terminal=colour, color_system="standard" if colour else None
    ).print(renderable)
    return out.getvalue()


def graded(evidence: Evidence) -> Graded:
    cards = tuple(score(evidence, load_role(role)) for role in ("somnio", "techflow"))
    places = {card.role: f"out/{evidence.submission.name}/{card.role}" for card in cards}
    return Graded(evidence, cards, places)


def test_a_summary_lists_every_flaw_and_each_role() -> None:
    one = graded(samples.partial())
    text = printed(summary(one.evidence, one.scorecards))
    for seed in FLAWS:
        assert seed.title in text
    assert text.count("Vulnerable") == 4
    assert "Legitimate flows: 8 of 8 work." in text
    for card in one.scorecards:
        assert f"{card.role}: {card.headline}" in text


def test_a_summary_says_what_broke_and_what_blocks() -> None:
    text = printed(summary(samples.broken_flow()))
    assert "7 of 8 work" in text
    assert "A card payment is taken" in text
    blocked = graded(samples.blocked())
    assert "blocked: No verdict on jwt-claims" in printed(
        summary(blocked.evidence, blocked.scorecards)
    )
    assert "did not start" in printed(summary(samples.never_started()))


def test_a_comparison_has_a_row_for_each_submission() -> None:
    text = printed(comparison([graded(one()) for one in SAMPLES]))
    table = text[: text.index("Flaws and flows")]
    rows = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    assert "✗ 13" in rows["starter"]
    assert "✓ 13" in rows["repaired"]
    assert "97%" in rows["repaired"]
    assert "✗ 4" in rows["partial"]
    assert "▲ 1" in rows["broken-flow"]
    assert "out/partial/somnio" in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_cannot_drive_the_terminal(text: str) -> None:
    one = graded(poison(samples.partial(), text))
    for shown in (summary(one.evidence, one.scorecards), comparison([one])):
        out = printed(shown)
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_rich_markup_in_outside_text_is_text() -> None:
    evidence = poison(samples.partial(), "[bold red]pwned[/]")
    assert "[bold red]pwned[/]" in printed(summary(evidence))
