"""Syntax colouring by Pygments and Markdown by markdown-it, as safe HTML with classes only."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from reports.visible import visible

if TYPE_CHECKING:
    from pygments.lexer import Lexer

#: File endings, or whole names, that are coloured; anything else is plain text.
LANGUAGES = {
    "py": "python",
    "sql": "sql",
    "toml": "toml",
    "json": "json",
    "yaml": "yaml",
    "yml": "yaml",
    "go": "go",
    "sh": "bash",
    "js": "javascript",
    "ini": "ini",
    "cfg": "ini",
    "dockerfile": "docker",
    "tf": "terraform",
}

#: The longest text coloured; beyond it colouring costs more than it gives.
LONGEST_COLOURED = 200_000

_FORMATTER = HtmlFormatter(nowrap=True, classprefix="t-")


@cache
def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False, ensurenl=False)


@lru_cache(maxsize=512)
def code(text: str, language: str) -> Markup:
    """The text as coloured HTML, to stand inside a ``pre``; already made visible and escaped."""
    text = visible(text, LONGEST_COLOURED)
    return Markup(highlight(text, _lexer(language), _FORMATTER).rstrip("\n"))  # noqa: S704


def code_lines(lines: list[str], path: str) -> list[Markup]:
    """Each of the lines coloured, in the context of the lines before it.

    The list returned has as many lines as the list given.
    """
    ending = path.rpartition("/")[2].rpartition(".")[2].lower()
    shown = [visible(line, LONGEST_COLOURED).replace("\n", " ") for line in lines]
    text = "\n".join(shown)
    if ending not in LANGUAGES or len(text) > LONGEST_COLOURED:
        return [Markup.escape(line) for line in shown]
    coloured = highlight(text, _lexer(LANGUAGES[ending]), _FORMATTER).split("\n")
    if len(coloured) < len(lines):
        return [Markup.escape(line) for line in shown]
    return [Markup(line) for line in coloured[: len(lines)]]  # noqa: S704


def _fence(text: str, language: str, _attributes: str) -> str:
    return str(code(text, language or "text"))


@cache
def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "highlight": _fence})
    reader.enable("table")
    return reader.disable(["image", "html_inline", "html_block"])


@lru_cache(maxsize=512)
def markdown(text: str) -> Markup:
    """Markdown as HTML: no raw HTML, no images, no links but those that markdown-it holds safe."""
    return Markup(_markdown().render(visible(text)))  # noqa: S704
