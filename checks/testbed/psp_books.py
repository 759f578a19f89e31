"""What the PSP has done, by idempotency key, and how it answers by its protocol (contract, 9)."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checks.amounts import exponent
from checks.testbed.faults import Operation
from checks.testbed.http import Answer
from checks.testbed.psp_settlements import Movement

_FIRST = {"token", "amount", "currency", "capture", "reference"}
_FOLLOWING = {"authorisation", "amount", "currency", "reference"}

_CURRENCY = re.compile("[A-Z]{3}")
_AMOUNT_LIMIT = 24


@dataclass(frozen=True, slots=True)
class Request:
    """What the PSP is asked to do; ``body`` is empty where it was no JSON object."""

    operation: Operation
    path: str
    key: str | None
    body: Mapping[str, Any]


class Books:
    """The operations of one PSP. It bounds nothing by what came before (contract 9.10)."""

    def __init__(self) -> None:
        self._operations: dict[str, dict[str, Any]] = {}
        self._times: dict[str, datetime] = {}
        self._fingerprints: dict[str, str] = {}
        self._authorisations: set[str] = set()
        self._cards: dict[str, str] = {}

    def card(
        self, operation: Operation | None, key: str | None, body: Mapping[str, Any]
    ) -> str | None:
        """The card it is about: its own, its authorisation's, or the looked-up operation's."""
        if operation == "lookup":
            return self._cards.get(key or "")
        named = body.get("token")
        card = named if isinstance(named, str) else self._cards.get(str(body.get("authorisation")))
        if card is not None and key is not None:
            self._cards.setdefault(key, card)
        return card

    def perform(self, request: Request, declined: str | None = None) -> tuple[Answer, bool]:
        """Do what is asked, unless it was done before; the answer, and whether it was done now.

        ``declined`` is the reason for which it is declined instead.
        """
        if request.operation == "lookup":
            return self._look_up(request.key), False
        objection = self._objection(request)
        if objection is not None:
            return objection, False
        key = request.key or ""
        if key in self._operations:
            return Answer(201, json.dumps(self._operations[key])), False
        done = _operation(request, declined)
        self._fingerprints[key] = _fingerprint(request)
        self._operations[key] = done
        self._times[key] = datetime.now(UTC)
        self._authorisations.add(done["authorisation"])
        if key in self._cards:
            self._cards.setdefault(done["authorisation"], self._cards[key])
        return Answer(201, json.dumps(done)), declined is None

    def told(self, card: str) -> list[dict[str, Any]]:
        """All operations on a card, in order, as notices tell them (contract 9.11)."""
        return [dict(one) for key, one in self._operations.items() if self._cards.get(key) == card]

    def moved(self, card: str | None = None) -> list[Movement]:
        """The movements of money, in order; those on a card, if one is given."""
        rows = (
            Movement.of(one, self._times[key])
            for key, one in self._operations.items()
            if card is None or self._cards.get(key) == card
        )
        return [row for row in rows if row is not None]

    def _look_up(self, key: str | None) -> Answer:
        known = self._operations.get(key or "")
        if known is None:
            return refusal(404, "not_found", "There is no such operation.")
        return Answer(200, json.dumps(known))

    def _objection(self, request: Request) -> Answer | None:
        if not request.key:
            return refusal(400, "key_missing", "Send an Idempotency-Key.")
        if self._fingerprints.get(request.key) not in (None, _fingerprint(request)):
            return refusal(409, "key_reused", "The key was used for another request.")
        wrong = _malformed(request)
        if wrong is not None:
            return refusal(400, "invalid_request", wrong)
        if not is_amount(request.body["amount"], request.body["currency"]):
            return refusal(422, "invalid_amount", "The amount does not fit the currency.")
        named = request.body.get("authorisation")
        if named is not None and named not in self._authorisations:
            return refusal(404, "authorisation_not_found", "There is no such authorisation.")
        return None


def refusal(status: int, code: str, message: str) -> Answer:
    """A definite refusal: nothing was done."""
    return Answer(status, json.dumps({"error": code, "message": message}))


def _malformed(request: Request) -> str | None:
    members = _FIRST if request.operation in ("authorisation", "sale") else _FOLLOWING
    if set(request.body) != members:
        return f"Send exactly the members {', '.join(sorted(members))}."
    if not all(isinstance(request.body[name], str) for name in members - {"capture"}):
        return "Members other than capture are strings."
    if not all(request.body[name] for name in members - {"capture"}):
        return "Members are not empty."
    if "capture" in members and not isinstance(request.body["capture"], bool):
        return "capture is true or false."
    return None


def is_amount(amount: str, currency: str) -> bool:
    """Whether it is a positive decimal string with exactly the currency's digits (contract 9.1)."""
    digits = exponent(currency)
    whole, point, fraction = amount.partition(".")
    well_formed = (
        len(amount) <= _AMOUNT_LIMIT
        and _CURRENCY.fullmatch(currency) is not None
        and (whole + fraction).isascii()
        and (whole + fraction).isdigit()
        and (whole == "0" or not whole.startswith("0"))
        and bool(point) == bool(digits)
        and len(fraction) == digits
    )
    return well_formed and int(whole + fraction) > 0


def _fingerprint(request: Request) -> str:
    text = json.dumps([request.path, request.body], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _operation(request: Request, declined: str | None) -> dict[str, Any]:
    return {
        "id": f"op_{secrets.token_hex(12)}",
        "type": request.operation,
        "authorisation": request.body.get("authorisation") or f"auth_{secrets.token_hex(12)}",
        "status": "succeeded" if declined is None else "declined",
        "amount": request.body["amount"],
        "currency": request.body["currency"],
        "reference": request.body["reference"],
        "reason": declined,
    }
