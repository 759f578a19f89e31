"""Members that a body has no business with, and how a service may answer them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel

from checks.amounts import Money
from checks.client import Answer
from checks.fresh import Fresh
from checks.verdicts import Broken

HINT = (
    "Name the members that a client may send in a schema of its own for each request, and refuse"
    " all others; never copy a body onto a stored object."
)

_PAST = "2001-02-03T04:05:06Z"

#: A balance or an amount, in minor units, as a body might try to set it.
RICH = 99_999_900


def pounds(amount: int) -> dict[str, object]:
    """Money of the contract, in pence."""
    return Money(amount, "GBP").json()


def identities(fresh: Fresh, prefix: str, merchant: str) -> tuple[dict[str, object], ...]:
    """Ids, owners and times of making, by the names that services give them."""
    return (
        {"id": f"{prefix}_{fresh.word(26)}"},
        {"merchant": merchant},
        {"merchant_id": merchant},
        {"merchantId": merchant},
        {"owner": merchant},
        {"owner_id": merchant},
        {"tenant": merchant},
        {"tenant_id": merchant},
        {"organisation_id": merchant},
        {"organization_id": merchant},
        {"user_id": merchant},
        {"created_at": _PAST},
        {"createdAt": _PAST},
    )


def unfailing(answer: Answer, extra: Mapping[str, object]) -> None:
    """A failure is no way to refuse."""
    if answer.failed:
        raise Broken(f"{answer} for a body with {sorted(extra)}.", HINT)


def said(extra: Mapping[str, object]) -> str:
    """The members as a report names them."""
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in extra.items())


def written(shape: BaseModel) -> str:
    """An object as the service shows it."""
    return shape.model_dump_json()
