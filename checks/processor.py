"""What the PSP's journal says was done to cards, as opposed to what it was asked (contract 9)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from checks.evidence import JournalEntry


@dataclass(frozen=True, slots=True)
class Effect:
    """One operation that the PSP carried out; ``amount`` in the PSP's decimal form."""

    type: str
    amount: str
    currency: str
    key: str | None


def effects(journal: Iterable[JournalEntry]) -> list[Effect]:
    """The operations that the PSP carried out, in order."""
    return [_effect(entry) for entry in journal if entry.effect]


def last_reference(journal: Iterable[JournalEntry]) -> str | None:
    """What the service calls the last operation that it asked for, if it asked for any."""
    bodies = [_members(entry.body) for entry in journal]
    references = [body["reference"] for body in bodies if isinstance(body.get("reference"), str)]
    return references[-1] if references else None


def _members(body: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _effect(entry: JournalEntry) -> Effect:
    body = json.loads(entry.body)
    kind = entry.path.rstrip("/").rpartition("/")[2].removesuffix("s")
    if kind == "authorisation" and body.get("capture"):
        kind = "sale"
    return Effect(kind, str(body.get("amount")), str(body.get("currency")), entry.key)
