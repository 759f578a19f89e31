"""What a scanner says about a numbered copy of the source, before it is put back in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Match:
    """One match of a rule; ``name`` is the copy's file name, ``line`` counts from 1."""

    tool: Literal["bandit", "semgrep"]
    rule: str
    severity: Literal["high", "medium", "low"]
    cwe: tuple[int, ...]
    name: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Scan:
    """A finished run: its matches, and the copies that could not be read, with the reason."""

    matches: tuple[Match, ...]
    unread: tuple[tuple[str, str], ...]
