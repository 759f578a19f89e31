"""What two runs of the same requests have in common: answers and views without what is fresh.

Ids become their prefix and the order of their first appearance, times become one word; of a
refusal only status and code count, because no check asserts wording.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from checks.client import Answer

#: An id of the contract's (1.5): a prefix, and what nobody can guess.
_ID = re.compile(r"\b([a-z]{2,12})_[0-9A-Za-z-]{8,}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")


def canonical(answers: Sequence[Answer], views: Mapping[str, Any]) -> str:
    """One text for all outcomes that differ in nothing but what is fresh."""
    told = [_told(answer) for answer in answers]
    plain = json.dumps({"answers": told, "views": views}, sort_keys=True)
    seen: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        number = sum(one.startswith(found[1] + "#") for one in seen.values()) + 1
        return seen.setdefault(found[0], f"{found[1]}#{number}")

    return _ID.sub(named, _TIME.sub("(time)", plain))


def _told(answer: Answer) -> dict[str, Any]:
    if answer.ok:
        try:
            return {"status": answer.status, "body": json.loads(answer.content)}
        except ValueError:
            return {"status": answer.status}
    return {"status": answer.status, "code": answer.code}
