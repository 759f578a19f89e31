"""Reports read back: a page parsed, the gradings they are made of, and hostile text for them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from checks.evidence import Evidence
from reports.html import render_html
from scoring.role import load_role
from scoring.scorecard import score
from tests.scoring import evidence_samples as samples

SAMPLES = [
    samples.starter,
    samples.partial,
    samples.repaired,
    samples.broken_flow,
    samples.blocked,
    samples.never_started,
]

VOID = {"meta", "br", "hr", "img", "link", "input", "wbr", "col"}
SHAPES = {"use", "path", "circle", "rect", "text", "symbol", "svg"}


class Page(HTMLParser):
    """A page read by the standard parser: its ids, links, tags and headings; checks the nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.texts: list[str] = []
        self.unbalanced: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in VOID:
            self._open.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag in ("a", "use") and given.get("href"):
            self.links.append(str(given["href"]))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(evidence: Evidence, role: str = "somnio") -> Page:
    return Page(render_html(evidence, score(evidence, load_role(role))))


# Hostile text. Every string that a candidate, a service or a file can choose is replaced by it.

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style></textarea></title><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>' autofocus onfocus=alert(1) x='",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "<!-- ]]> --!>",
    "\x1b[31mred\x1b[0m\x07\x00\x08 \u202egpj.exe \u2066hidden\u2069 \u200bzero\ufeff \x9b",
    "lone \ud800 surrogate \udfff",
    "\u2028\u2029\x85\r\n\x0b\x0c",
    "a" * 100_000,
    "[" * 3_000,
    "diff --git a/x b/x\n@@ -1,9999999999 +1 @@\n<b>\n@@ -1 +1 @@\n+</td><script>\n",
]

#: What our own code fills in, or the model restricts.
OURS = {
    "verdict", "severity", "tool", "mechanism", "stage", "kind", "profile", "started", "family",
}  # fmt: skip


def poisoned(value: object, text: str, key: str = "") -> object:
    """The value with every free string in it replaced."""
    if isinstance(value, dict):
        return {name: poisoned(one, text, name) for name, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, text, key) for one in value]
    if isinstance(value, str) and key not in OURS:
        return text
    return value


def poison(evidence: Evidence, text: str) -> Evidence:
    dumped = evidence.model_dump(mode="json", by_alias=True)
    return Evidence.model_validate(poisoned(dumped, text))
