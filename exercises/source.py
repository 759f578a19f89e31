"""A source file read as text, and, where it is Python, as what it defines. Lines count from 1."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from exercises.tree import Tree

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Span:
    """A function or a class: its dotted name, and the lines from its first decorator to its end."""

    name: str
    first: int
    last: int
    is_function: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a tree; one that is not there has no lines."""

    lines: tuple[str, ...]
    module: ast.Module

    @classmethod
    def of(cls, path: str, tree: Tree) -> Source:
        """Reads it; what is no Python defines nothing."""
        text = tree.get(path, b"").decode("utf-8", "replace")
        try:
            module = ast.parse(text if path.endswith(".py") else "")
        except (SyntaxError, ValueError):
            module = ast.Module(body=[], type_ignores=[])
        return cls(tuple(text.splitlines()), module)

    def telling(self, start: int, end: int) -> list[int]:
        """The lines after ``start`` up to ``end`` that say how the service behaves.

        Imports, documentation, blank lines and lone brackets do not.
        """
        silent = {
            line
            for node in ast.walk(self.module)
            if isinstance(node, ast.stmt) and _is_silent(node)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        return [
            number
            for number in range(start + 1, end + 1)
            if number not in silent and self.lines[number - 1].strip(" ()[]{},:")
        ]

    def around(self, first: int, last: int) -> Span | None:
        """The innermost function or class that holds these lines, or else the first among them."""
        found: Span | None = None
        nodes: list[ast.stmt] = list(self.module.body)
        while nodes:
            node = nodes.pop(0)
            if not isinstance(node, _Definition):
                continue
            span = _span(node, f"{found.name}." if found else "")
            holds = span.first <= first and last <= span.last
            if holds or (found is None and first <= span.first <= last):
                found = span
                nodes = list(node.body) if holds else []
        return found


def _span(node: _Definition, within: str) -> Span:
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    is_function = not isinstance(node, ast.ClassDef)
    return Span(f"{within}{node.name}", first, node.end_lineno or node.lineno, is_function)


def _is_silent(node: ast.stmt) -> bool:
    """Whether a statement only imports, or documents."""
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, ast.Import | ast.ImportFrom)
