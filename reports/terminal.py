"""Tables for the terminal: one grading, or several submissions side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from checks.evidence import PRECEDENCE, Verdict
from reports import view as views
from reports.visible import visible
from reports.words import NOTHING, WORDS, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from checks.evidence import Evidence
    from scoring.scorecard import Scorecard

STYLES = {
    "good": "green",
    "fair": "yellow",
    "bad": "red",
    "worse": "magenta",
    "mute": "dim",
    "stop": "bold blue",
}

#: The longest name or sentence from outside in a table.
LONGEST = 160


@dataclass(frozen=True, slots=True)
class Graded:
    """One grading: its evidence, its scorecard for each role, and where each report is."""

    evidence: Evidence
    scorecards: tuple[Scorecard, ...]
    reports: Mapping[str, str] = field(default_factory=dict)


def _plain(text: str) -> Text:
    """Text from outside: nothing in it is markup, a control sequence or a line break."""
    return Text(" ".join(visible(text, LONGEST).split()))


def _word(name: str) -> Text:
    word = WORDS[name]
    return Text(f"{word.sign} {word.text}", style=STYLES[word.tone])


def _counted(counts: Mapping[str, int]) -> Text:
    """Counts with their signs, such as ``✗ 4  ✓ 9``; the words stand in the table's caption."""
    parts = [
        Text(f"{WORDS[name].sign} {count}", style=STYLES[WORDS[name].tone])
        for name, count in counts.items()
        if count
    ]
    return Text("  ").join(parts) if parts else Text(NOTHING, style="dim")


def _answers(card: Scorecard) -> Text:
    essential = card.counts["essential"]
    return _counted(
        {
            "met": essential.met,
            "partly": essential.partly,
            "not met": essential.not_met,
            "not assessed": essential.not_assessed,
        }
    )


def summary(evidence: Evidence, scorecards: Sequence[Scorecard] = ()) -> RenderableType:
    """One grading: its flaws by verdict, broken flows, and an answer line for each role."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Severity", no_wrap=True)
    table.add_column("Flaw", overflow="fold")
    for flaw in views.flaw_views(evidence):
        severity = flaw.facts.severity if flaw.facts else NOTHING
        table.add_row(_word(flaw.verdict), severity, _plain(flaw.title))
    parts: list[RenderableType] = [_title(evidence), table]
    parts += _flows(evidence)
    for card in scorecards:
        parts.append(Text.assemble((f"\n{card.role}: ", "bold"), _plain(card.headline)))
        if card.blocked:
            parts.append(Text.assemble(("  blocked: ", STYLES["stop"]), _plain(card.blocked)))
    return Group(*parts)


def _title(evidence: Evidence) -> Text:
    name = _plain(evidence.submission.name)
    name.stylize("bold")
    title = Text.assemble(
        name,
        " · ",
        _plain(evidence.exercise),
        f" · {seconds(evidence.seconds)} · seed {evidence.seed}",
    )
    if not evidence.service.started:
        failure = _plain(evidence.service.failure or "no reason was recorded")
        title = Text.assemble(
            title, ("\nThe service did not start ", "red"), f"({evidence.service.stage}): ", failure
        )
    elif evidence.service.failure:
        title = Text.assemble(
            title, ("\nThe service did not run on: ", "red"), _plain(evidence.service.failure)
        )
    return title


def _flows(evidence: Evidence) -> list[RenderableType]:
    flows = [one for one in evidence.verdicts if one.flaw is None]
    wrong = [one for one in flows if one.verdict is not Verdict.SECURE]
    count = f"{len(flows) - len(wrong)} of {len(flows)} work" if flows else "none was tried"
    said: list[RenderableType] = [Text(f"Legitimate flows: {count}.")]
    said += [Text("  ").join([_word(one.verdict), _plain(one.summary)]) for one in wrong]
    return said


def comparison(gradings: Sequence[Graded]) -> RenderableType:
    """Several submissions side by side: flaws and flows by verdict, and essentials by role."""
    roles = list(dict.fromkeys(card.role for one in gradings for card in one.scorecards))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in ("Submission", "Flaws", "Flows", "Load", *roles, "Time"):
        table.add_column(name, no_wrap=True)
    for one in gradings:
        cards = {card.role: card for card in one.scorecards}
        table.add_row(
            _plain(one.evidence.submission.name),
            _counted(_flaw_counts(one.evidence)),
            _counted(_flow_counts(one.evidence)),
            _load(one.evidence),
            *(_answers(cards[role]) if role in cards else Text(NOTHING) for role in roles),
            seconds(one.evidence.seconds),
        )
    return Group(table, Text(), _legend(), *_places(gradings))


def _flaw_counts(evidence: Evidence) -> dict[str, int]:
    given = Counter(flaw.verdict for flaw in views.flaw_views(evidence))
    return {verdict.value: given[verdict] for verdict in PRECEDENCE}


def _flow_counts(evidence: Evidence) -> dict[str, int]:
    given = Counter(one.verdict for one in evidence.verdicts if one.flaw is None)
    return {verdict.value: given[verdict] for verdict in PRECEDENCE}


def _load(evidence: Evidence) -> Text:
    load = evidence.load
    if load is None or load.failure:
        return Text("not run" if load is None else "failed", style="dim")
    return Text(f"{load.ratio:.0%}")


def _legend() -> Text:
    flaws = ("vulnerable", "broken", "secure", "not reached", "inconclusive", "error")
    answers = ("met", "partly", "not met", "not assessed")
    said = [f"{WORDS[name].sign} {WORDS[name].text.lower()}" for name in flaws]
    told = [f"{WORDS[name].sign} {WORDS[name].text.lower()}" for name in answers]
    return Text(
        f"Flaws and flows: {', '.join(said)}. Under a role, its essential requirements: "
        f"{', '.join(told)}. Load: throughput against the reference.",
        style="dim",
    )


def _places(gradings: Sequence[Graded]) -> list[RenderableType]:
    return [
        Text.assemble(_plain(one.evidence.submission.name), f" against {role}: ", _plain(place))
        for one in gradings
        for role, place in one.reports.items()
    ]
