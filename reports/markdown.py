"""The Markdown report: the same order as the HTML one, shorter, for a ticket or a terminal.

Text from outside stands on one line and has its Markdown and HTML escaped; the lessons, which are
the bank's own, stay Markdown.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports import view as views
from reports.visible import visible
from reports.words import WORDS, milliseconds, plural, seconds, tried

if TYPE_CHECKING:
    from checks.evidence import Evidence
    from scoring.scorecard import Scorecard

TEMPLATES = Path(__file__).with_name("templates")

#: The longest line taken from outside.
LONGEST_LINE = 600

_MEANING = re.compile(r"([\\`*_\[\]<>|~#&])")


def line(text: object) -> str:
    """Text from outside on one line, with what Markdown or HTML would read in it escaped."""
    return _MEANING.sub(r"\\\1", " ".join(visible(str(text), LONGEST_LINE).split()))


def tick(text: object) -> str:
    """Text to stand between back-ticks."""
    plain = re.sub(r"\\([\\`*_\[\]<>|~#&])", r"\1", str(text))
    return " ".join(visible(plain, LONGEST_LINE).replace("`", "'").replace("|", "¦").split())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701  (Markdown: every value from outside passes a filter)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(line=line, cell=line, tick=tick, show=visible)
    environment.filters.update(ms=milliseconds, seconds=seconds, plural=plural)
    environment.globals.update(words=WORDS, limits=views, tried=tried)
    return environment


def render_markdown(evidence: Evidence, scorecard: Scorecard) -> str:
    """The report as Markdown (CommonMark with tables)."""
    text = (
        _environment()
        .get_template("report.md.j2")
        .render(view=views.view(evidence, scorecard), evidence=evidence, card=scorecard)
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
