"""What the PSP's journal says was done to cards, as opposed to what it was asked (contract 9)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

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


def _effect(entry: JournalEntry) -> Effect:
    body = json.loads(entry.body)
    kind = entry.path.rstrip("/").rpartition("/")[2].removesuffix("s")
    if kind == "authorisation" and body.get("capture"):
        kind = "sale"
    return Effect(kind, str(body.get("amount")), str(body.get("currency")), entry.key)
