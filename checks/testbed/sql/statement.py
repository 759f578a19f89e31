"""What a statement does, told from its text: how it is recognised again, and what it touches.

No parser: the text is the service's, in any dialect of any driver, and what is told here only says
where to stop and in which order to look; no verdict rests on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

#: A comment, or a literal: quoted, escaped, dollar-quoted; and a quoted name.
_LEXEME = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<text>\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?P<tag>\$\w*\$).*?(?P=tag))
    | (?P<name>"(?:[^"]|"")*")
    | (?P<number>\$\d+|(?<![\w$.])\d+(?:\.\d+)?\b)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_LIST = re.compile(r"\((?:\s*\?(?:::[\w ]+)?\s*,)+\s*\?(?:::[\w ]+)?\s*\)")
_LISTS = re.compile(r"(\([?, .…]*\))(?:\s*,\s*\([?, .…]*\))+")

_TABLE = r'((?:[\w$]++|"[^"]++")(?:\.(?:[\w$]++|"[^"]++"))?+)'
_READ = re.compile(rf"\b(?:from|join|using)\s+(?:only\s+)?(?:lateral\s+)?{_TABLE}(?!\s*\()")
_WRITE = re.compile(
    rf"\b(?:insert\s+into|delete\s+from|merge\s+into|truncate(?:\s+table)?"
    rf"|(?<!for )(?<!no key )(?<!do )(?<!on )update)\s+(?:only\s+)?{_TABLE}"
)
_COPY = re.compile(rf"^copy\s+{_TABLE}\b.*?\b(from|to)\b")
_CTE = re.compile(
    r"(?:\bwith(?: recursive)?|,) ([\w$]+) ?(?:\([^)]*\) ?)?as (?:not )?(?:materialized )?\("
)
_CALL = re.compile(r"\b([a-z_][\w.]*)\s*\(")

#: First words of what nobody else can see the effect of: where a session stands, not the data.
_UNSEEN = re.compile(
    r"(?:begin|start transaction|set|show|reset|discard|listen|unlisten|savepoint|release"
    r"|deallocate|close|fetch|move|explain|prepare)\b"
)
#: Functions that look at the session or the clock; to call only these is a ping.
_HARMLESS = frozenset(
    {
        "version", "current_schema", "current_schemas", "current_database", "current_setting",
        "set_config", "now", "clock_timestamp", "pg_backend_pid", "pg_is_in_recovery", "coalesce",
        "cast", "to_regclass", "to_regtype", "pg_advisory_unlock_all",
    }
)  # fmt: skip
_CATALOGUE = re.compile(r"^(?:pg_catalog\.|information_schema\.|pg_)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A text of SQL, understood as far as needed.

    ``shape`` is the text without comments, literals and parameters: what it is recognised by.
    ``point`` says whether others can see what it does, or it sees what others do, so that the
    order matters. ``reads`` and ``writes`` are tables, ``locks`` whether it takes row or advisory
    locks, ``ends`` whether it ends a transaction. ``opaque`` is one that looks and writes in
    itself, so that others can come between where no statement ends; of the functions that it calls
    its text says nothing.
    """

    shape: str
    point: bool
    reads: frozenset[str]
    writes: frozenset[str]
    locks: bool
    ends: bool
    opaque: bool

    @property
    def tables(self) -> frozenset[str]:
        """What it touches."""
        return self.reads | self.writes


@lru_cache(maxsize=8192)
def understand(text: str) -> Statement:
    """What a text does; several statements in one are told as one."""
    shape = _shape(text)
    parts = [part for part in (one.strip() for one in shape.split(";")) if part]
    reads: set[str] = set()
    writes: set[str] = set()
    for part in parts:
        named = {name.lower() for name in _CTE.findall(part)}
        writes |= {_plain(name) for name in _WRITE.findall(part)}
        if found := _COPY.match(part):
            (writes if found[2] == "from" else reads).add(_plain(found[1]))
        else:
            reads |= {_plain(name) for name in _READ.findall(_without_targets(part))} - named
    return Statement(
        shape=shape,
        point=any(_is_point(part) for part in parts),
        reads=frozenset(reads),
        writes=frozenset(writes),
        locks=bool(re.search(r"\bfor (?:no key )?update\b|\bfor (?:key )?share\b", shape))
        or "advisory" in shape
        or any(part.startswith("lock ") for part in parts),
        ends=any(_ends(part) for part in parts),
        opaque=bool(writes and (reads or len(parts) > 1))
        or any(part.startswith(("call ", "do ")) for part in parts),
    )


def _shape(text: str) -> str:
    def stand_in(found: re.Match[str]) -> str:
        if found["comment"] is not None:
            return " "
        # A quoted name is kept as it is, but for a statement's own separator.
        return found["name"].replace(";", "_") if found["name"] is not None else "?"

    plain = " ".join(_LEXEME.sub(stand_in, text).split()).lower()
    plain = _LIST.sub("(?, ...)", plain)
    return _LISTS.sub(r"\1, ...", plain).rstrip("; ")


def _without_targets(part: str) -> str:
    """A statement without ``delete from``, whose target is written, not read."""
    return part.replace("delete from", "delete")


def _plain(name: str) -> str:
    schema, _, table = name.rpartition(".")
    schema, table = schema.strip('"').lower(), table.strip('"').lower()
    return table if schema in ("", "public") else f"{schema}.{table}"


def _ends(part: str) -> bool:
    if part.startswith("rollback to") or part.startswith("rollback prepared"):
        return False
    return part.split(" ", maxsplit=1)[0] in ("commit", "end", "rollback", "abort")


def _is_point(part: str) -> bool:
    if _UNSEEN.match(part):
        return False
    tables = {_plain(name) for name in _READ.findall(part)} | {
        _plain(name) for name in _WRITE.findall(part)
    }
    if tables:
        return not all(_CATALOGUE.match(table) for table in tables)
    if part.startswith(("select", "values")):
        called = {name.removeprefix("pg_catalog.") for name in _CALL.findall(part)}
        return not called <= _HARMLESS
    return True
