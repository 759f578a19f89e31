"""A row of lines as HTML. It is not a template's, since a page has thousands of them."""

from __future__ import annotations

from markupsafe import Markup

from harness.review.colours import Coloured
from harness.review.rows import Row, View

#: What tells lines that are gone and lines that have come from the rest, besides their colour.
_SIGNS = {"removed": "\N{MINUS SIGN}", "added": "+", "gone": "\N{MINUS SIGN}", "come": "+"}


def cells(row: Row, lines: Coloured, view: View) -> Markup:
    """The row in a view; nothing in it is from outside but lines that are markup already."""
    old, new = row.old or "", row.new or ""
    made = _unified(row, lines) if view == "unified" else _split(row, lines)
    starts = " starts" if row.starts else ""
    return Markup(  # noqa: S704
        f'<tr class="line {row.kind}{starts}" data-old="{old}" data-new="{new}">{made}</tr>\n'
    )


def _unified(row: Row, lines: Coloured) -> str:
    text = lines.new[row.new - 1] if row.new else lines.old[row.old - 1] if row.old else ""
    return (
        f'<td class="no old">{row.old or ""}</td><td class="no new">{row.new or ""}</td>'
        f'<td class="sg">{_SIGNS.get(row.kind, "")}</td><td class="tx">{text}</td>'
    )


def _split(row: Row, lines: Coloured) -> str:
    if row.kind == "same" and row.new:
        text = lines.new[row.new - 1]
        return _half("old", row.old, "", text) + _half("new", row.new, "", text)
    old = _half("old", row.old, "gone", lines.old[row.old - 1]) if row.old else _void("old")
    new = _half("new", row.new, "come", lines.new[row.new - 1]) if row.new else _void("new")
    return old + new


def _half(side: str, number: int | None, mark: str, text: str) -> str:
    sign = _SIGNS.get(mark, "")
    return (
        f'<td class="no {side} {mark}">{number}</td><td class="sg {mark}">{sign}</td>'
        f'<td class="tx {side} {mark}">{text}</td>'
    )


def _void(side: str) -> str:
    return (
        f'<td class="no {side} void"></td><td class="sg void"></td><td class="tx {side} void"></td>'
    )
