"""The HTML report: one file that opens from disk, and reads without JavaScript.

Everything from outside passes ``visible`` and Jinja's escaping on its way out; nothing is loaded
from anywhere, and the page's own policy (CSP) allows no script and style but its own, by hash.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import view as views
from reports.chart import chart
from reports.colour import code, markdown
from reports.visible import body, visible
from reports.words import WORDS, milliseconds, plural, seconds, sentence, tried

if TYPE_CHECKING:
    from checks.evidence import Evidence
    from scoring.scorecard import Scorecard

TEMPLATES = Path(__file__).with_name("templates")


def _show(value: Any) -> Any:
    """What Jinja prints for a value: markup as it is, anything else with nothing hidden in it."""
    return value if isinstance(value, Markup) else visible(str(value))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show,
    )
    environment.filters.update(
        body=body,
        code=code,
        markdown=markdown,
        ms=milliseconds,
        plural=plural,
        seconds=seconds,
        sentence=sentence,
    )
    environment.globals.update(words=WORDS, limits=views, tried=tried)
    return environment


@cache
def _own(name: str) -> tuple[Markup, str]:
    """A file of ours to stand inline, and its hash for the policy."""
    text = (TEMPLATES / name).read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"  # noqa: S704


def render_html(evidence: Evidence, scorecard: Scorecard) -> str:
    """The report as one HTML page; the same page for the same evidence and scorecard."""
    view = views.view(evidence, scorecard)
    return page(
        "report.html.j2",
        view=view,
        evidence=evidence,
        card=scorecard,
        anchors=view.anchors,
        chart=chart(evidence.load) if evidence.load and not evidence.load.failure else None,
    )


def page(template: str, **given: object) -> str:
    """A page of ours, with its style, its script and the policy that lets no other run."""
    style, style_hash = _own("style.css")
    script, script_hash = _own("script.js")
    policy = (
        f"default-src 'none'; style-src {style_hash}; script-src {script_hash}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            **given,
            policy=Markup(policy),  # noqa: S704
            style=style,
            script=script,
        )
    )
