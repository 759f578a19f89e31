"""The bank simulator: the rail for payouts of the contract's section 13, over real HTTP.

What it does is scripted payee by payee: checks that share a testbed pay to bank accounts of their
own. Notices are brought by the check itself, which knows the secret.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from checks.testbed.http import Answer, Received
from checks.testbed.psp_books import is_amount
from checks.testbed.simulator import Conduct, Conducts, Party, entry_of, refusal

Status = Literal["accepted", "rejected", "paid", "failed", "returned"]

_PATH = "/v1/payments"


class BankConduct(Conduct):
    """How it behaves towards payments to one bank account.

    ``answers`` is what becomes of a new payment, for ``reason`` where it is not good; ``hidden``
    payments are not found by look-ups.
    """

    answers: Literal["accepted", "rejected", "paid"] = "accepted"
    reason: str = "closed_account"
    hidden: bool = False


@dataclass(slots=True)
class _Payment:
    """A payment under its key, and the order that it was made for."""

    order: dict[str, Any]
    told: dict[str, Any]


class Bank(Party):
    """One testbed's bank."""

    name = "bank"

    def __init__(self, api_key: str, lines: int = 1) -> None:
        super().__init__(api_key, lines)
        self._conducts = Conducts(BankConduct())
        self._payments: dict[str, _Payment] = {}
        self._payees: dict[str, str] = {}

    def conduct(self, bank_account: str, conduct: BankConduct | None) -> None:
        """Behave so towards payments to this account; ``None``: as it should be."""
        self._conducts.set(bank_account, conduct)

    def lift(self) -> None:
        """Behave towards all payments as it should be."""
        self._conducts.lift()

    def become(self, key: str, status: Status, reason: str | None) -> dict[str, Any]:
        """Change a payment; what a notice says of it. Raises ``KeyError`` if there is none."""
        told = self._payments[key].told
        told.update(status=status, reason=reason)
        return dict(told)

    async def _answer(self, received: Received) -> Answer | None:
        key, order = _read(received)
        payee = _payee(order) or self._payees.get(key)
        if payee is not None:
            self._payees[key] = payee
        entry = entry_of(received, payee)
        await self._journal.note(entry)
        refused = self._refused(received, ("POST", _PATH), ("GET", f"{_PATH}/"))
        if refused is not None:
            return entry.ended(refused)
        if received.method == "GET":
            return entry.ended(await self._conducts.said(payee, self._found(key, payee)))
        if not key or payee is None or not _well_formed(order):
            return entry.ended(refusal(422, "unreadable_order"))
        answer, entry.effect = self._ordered(key, order, payee)
        return entry.ended(await self._conducts.said(payee, answer))

    def _found(self, key: str, payee: str | None) -> Answer:
        known = self._payments.get(key)
        if known is None or self._conducts.about(payee).hidden:
            return refusal(404, "not_found")
        return Answer(200, json.dumps(known.told))

    def _ordered(self, key: str, order: dict[str, Any], payee: str) -> tuple[Answer, bool]:
        """The answer to an order, and whether it made a payment."""
        known, conduct = self._payments.get(key), self._conducts.about(payee)
        if known is not None and known.order != order:
            return refusal(409, "key_reused"), False
        if known is not None:
            return Answer(201, json.dumps(known.told)), False
        if not conduct.done:
            return refusal(503, "unavailable"), False
        told = {
            **order,
            "id": f"bnk_{secrets.token_hex(12)}",
            "status": conduct.answers,
            "reason": conduct.reason if conduct.answers == "rejected" else None,
        }
        self._payments[key] = _Payment(order, told)
        return Answer(201, json.dumps(told)), conduct.answers != "rejected"


def _read(received: Received) -> tuple[str, dict[str, Any]]:
    """The key that a request is about, and the order that it brings."""
    if received.method == "GET":
        return received.path.rpartition("/")[2], {}
    try:
        order = json.loads(received.body)
    except ValueError:
        order = None
    return received.headers.get("idempotency-key", ""), order if isinstance(order, dict) else {}


def _well_formed(order: dict[str, Any]) -> bool:
    """Whether an order is as the contract says (13.1)."""
    return (
        set(order) == {"amount", "currency", "payee", "reference"}
        and set(order["payee"]) == {"name", "bank_account"}
        and all(isinstance(order[name], str) for name in ("amount", "currency", "reference"))
        and isinstance(order["payee"]["name"], str)
        and is_amount(order["amount"], order["currency"])
    )


def _payee(order: dict[str, Any]) -> str | None:
    payee = order.get("payee")
    account = payee.get("bank_account") if isinstance(payee, dict) else None
    return account if isinstance(account, str) else None
