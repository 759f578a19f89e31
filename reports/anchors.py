"""Stable anchors for deep links: ``flaw-payment-idor``, ``req-testing``, ``probe-...``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens, at most 80 of them."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "x"


@dataclass(slots=True)
class Anchors:
    """Gives each thing of a page an anchor that no other thing has."""

    _given: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, kind: str, name: str) -> str:
        """The anchor of the thing, the same at every call."""
        key = (kind, name)
        if key not in self._given:
            taken = set(self._given.values())
            base = f"{kind}-{slug(name)}"
            anchor, count = base, 1
            while anchor in taken:
                count += 1
                anchor = f"{base}-{count}"
            self._given[key] = anchor
        return self._given[key]
