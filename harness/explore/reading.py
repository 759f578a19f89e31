"""Reads a specification: every mistake in it is one sentence, with the key and how to mend it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from harness.errors import UsageError
from harness.explore.spec import (
    Concurrent,
    Database,
    Invariant,
    Prepare,
    Running,
    Service,
    Spec,
    View,
)
from harness.names import nearest

_SIZE_LIMIT = 256 * 1024

_TABLES: dict[str, type[BaseModel]] = {
    "service": Service,
    "database": Database,
    "prepare": Prepare,
    "concurrent": Concurrent,
    "invariant": Invariant,
    "view": View,
}


def read_spec(path: Path) -> Spec:
    """The specification in a file. Raises ``UsageError``, in one sentence."""
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise UsageError(f"{path} is larger than {_SIZE_LIMIT // 1024} KiB: no specification.")
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {str(error).rstrip('.')}.") from error
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        raise UsageError(f"{path}: {_told(error)}.") from error


def _told(error: ValidationError) -> str:
    """The first mistake: where, what, and how to mend it."""
    first = error.errors(include_url=False)[0]
    loc = first["loc"]
    where = _place(loc)
    match first["type"]:
        case "missing":
            return f"{where} is missing"
        case "extra_forbidden":
            return f"{_place(loc[:-1]) or 'it'} has no key {loc[-1]!r}{_instead(loc)}"
        case "string_pattern_mismatch" if loc[-1] == "request":
            return f'{where}: must be method and path, as "POST /accounts/{{account}}"'
        case "string_pattern_mismatch" if loc[-1] == "ready":
            return f'{where}: must be a path, as "/healthz"'
    what = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {what[:1].lower() + what[1:]}" if where else what


def _place(loc: tuple[int | str, ...]) -> str:
    """``concurrent 2: count``, for what TOML writes as the second ``[[concurrent]]``."""
    words = ""
    for part in loc:
        if isinstance(part, int):
            words += f" {part + 1}"
        else:
            words += f": {part}" if words else part
    return words


def _instead(loc: tuple[int | str, ...]) -> str:
    kind = Running if "running" in loc[:-1] else _TABLES.get(str(loc[0]), Spec)
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    close = nearest(str(loc[-1]), keys)
    return f": did you mean {close!r}?" if close else f"; it takes {', '.join(keys)}"
