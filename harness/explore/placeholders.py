"""Placeholders of a specification: ``{account}`` stands for a value that is known when it is used.

``{{`` and ``}}`` stand for braces. Braces around anything but a name are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

Scalar = str | int | float | bool | None
Values = Mapping[str, Scalar]

_FOUND = re.compile(r"\{\{|\}\}|\{([a-z_][a-z0-9_]*)\}")


def names(value: object) -> Iterator[str]:
    """The placeholders in a text, or in all texts of a JSON value."""
    if isinstance(value, str):
        yield from (found[1] for found in _FOUND.finditer(value) if found[1])
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from names(key)
            yield from names(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from names(part)


def in_text(text: str, values: Values) -> str:
    """A text with its values."""
    return _filled(text, values, _plain)


def in_path(path: str, values: Values) -> str:
    """A URL's path with its values, encoded."""
    return _filled(path, values, lambda value: quote(_plain(value), safe=""))


def in_sql(text: str, values: Values) -> str:
    """SQL with its values as literals, which take the type that their place asks for."""
    return _filled(text, values, _literal)


def in_json(value: object, values: Values) -> Any:
    """A JSON value; a text that is one placeholder and nothing else becomes the value itself."""
    if isinstance(value, str):
        whole = _FOUND.fullmatch(value)
        return values[whole[1]] if whole and whole[1] else in_text(value, values)
    if isinstance(value, Mapping):
        return {in_text(key, values): in_json(part, values) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [in_json(part, values) for part in value]
    return value


def _filled(text: str, values: Values, show: Callable[[Scalar], str]) -> str:
    def stand_in(found: re.Match[str]) -> str:
        return show(values[found[1]]) if found[1] else found[0][0]

    return _FOUND.sub(stand_in, text)


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _literal(value: Scalar) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("'", "''").replace("\\", "\\\\")
        return f"E'{escaped}'" if "\\" in value else f"'{escaped}'"
    return _plain(value)
