"""What is wrong with a command line, in a sentence of ours instead of the library's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from harness.names import nearest, no_such

EXTRA = re.compile(r"extra argument\S* \((.+)\)", re.DOTALL)


def sentence(failure: Exception, arguments: Sequence[str], commands: Collection[str]) -> str | None:
    """What the person who typed it got wrong, and how to mend it; ``None`` if it was not they.

    ``arguments`` are those after ``assay``, at least one.
    """
    explain = getattr(failure, "format_message", None)  # Typer's own, for a wrong command line
    if explain is None:
        return None
    # Typer publishes few of its exceptions' classes, so their names must do.
    kind, library = type(failure).__name__, " ".join(str(explain()).split()).rstrip(".")
    param = getattr(failure, "param", None)
    if param is not None and (allowed := _allowed(param, missing=kind == "MissingParameter")):
        return allowed
    first = arguments[0]
    look = f"try 'assay {first} --help'." if first in commands else "try 'assay --help'."
    if kind == "NoSuchOption":
        option = str(getattr(failure, "option_name", ""))
        possible = getattr(failure, "possibilities", None) or ()
        return no_such("option", option, nearest(option, possible), look)
    if first not in commands and not first.startswith("-"):
        return no_such("command", first, nearest(first, commands), look)
    return f"{_said(failure, kind, param, library)}; {look}"


def _said(failure: Exception, kind: str, param: Any, library: str) -> str:
    if kind == "MissingParameter" and param is not None:
        return f"{_label(param)} is missing: {_meaning(param)}"
    if kind == "BadOptionUsage" and "requires" in library:
        return f"{getattr(failure, 'option_name', 'The last option')} needs a value"
    extra = EXTRA.search(library)
    if extra is not None:
        return f"There is no place for {extra[1]!r}"
    return library.replace("Value error, ", "")


def _allowed(param: Any, *, missing: bool) -> str | None:
    """What an option or argument takes, if that is a choice or a number."""
    described = getattr(param, "type_descriptor", None)
    choices = [str(one) for one in getattr(described, "choices", None) or ()]
    if choices:
        either = f"{', '.join(choices[:-1])} or {choices[-1]}"
        if _is_option(param):
            return f"{_label(param)} takes {either}."
        return f"Say {_meaning(param)}: {either}."
    if missing or getattr(described, "annotation", None) is not int:
        return None
    least, most = getattr(param, "min", None), getattr(param, "max", None)
    span = "" if least is None else f" from {least}"
    span += "" if most is None else f" to {most}"
    return f"{_label(param)} takes a whole number{span}."


def _is_option(param: Any) -> bool:
    return str(param.opts[0]).startswith("-")


def _label(param: Any) -> str:
    return str(param.opts[0] if _is_option(param) else param.metavar or param.name.upper())


def _meaning(param: Any) -> str:
    """The first clause of its help, as the middle of a sentence."""
    text = str(param.help or "see the help").split(";")[0].rstrip(".")
    return text[:1].lower() + text[1:]
