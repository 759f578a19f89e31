"""The words, signs and figures that every kind of report uses for answers and verdicts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.evidence import Verdict
from scoring.rules import Answer

if TYPE_CHECKING:
    from checks.evidence import Probe


@dataclass(frozen=True, slots=True)
class Word:
    """How an answer or verdict is shown: in words, by a sign and by a tone, never by one alone."""

    text: str
    sign: str
    tone: str
    symbol: str


#: What stands where there is nothing to say.
NOTHING = "–"  # noqa: RUF001

WORDS: dict[str, Word] = {
    Answer.MET: Word("Met", "✓", "good", "check"),
    Answer.PARTLY: Word("Partly", "◐", "fair", "half"),
    Answer.NOT_MET: Word("Not met", "✗", "bad", "cross"),
    Answer.NOT_ASSESSED: Word("Not assessed", NOTHING, "mute", "dash"),
    Verdict.SECURE: Word("Secure", "✓", "good", "check"),
    Verdict.VULNERABLE: Word("Vulnerable", "✗", "bad", "cross"),
    Verdict.BROKEN: Word("Broken", "▲", "worse", "triangle"),
    Verdict.NOT_REACHED: Word("Not reached", NOTHING, "mute", "dash"),
    Verdict.INCONCLUSIVE: Word("Inconclusive", "?", "stop", "question"),
    Verdict.ERROR: Word("Error", "!", "stop", "bang"),
}

_SECOND = 1.0


def seconds(duration: float) -> str:
    """A duration in seconds as a person says it: ``12 ms``, ``5.3 s``."""
    if abs(duration) < _SECOND:
        return f"{duration * 1000:.0f} ms"
    return f"{duration:.1f} s"


def milliseconds(duration: float) -> str:
    """A duration in milliseconds: ``41 ms``."""
    return f"{duration:,.0f} ms"


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def plural(count: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def tried(probe: Probe) -> str:
    """A probe in half a sentence: who sent how many requests, and what the simulators saw."""
    senders = Counter(exchange.actor for exchange in probe.exchanges)
    said = [f"{plural(len(probe.exchanges), 'request')} by {', '.join(sorted(senders)[:4])}"]
    if not probe.exchanges:
        said = ["no request"]
    if probe.schedule:
        said.append("interleaved")
    if probe.journal:
        names = sorted({entry.simulator.upper() for entry in probe.journal})[:3]
        said.append(f"{plural(len(probe.journal), 'call')} to the {' and '.join(names)}")
    return ", ".join(said)
