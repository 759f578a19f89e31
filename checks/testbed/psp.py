"""The PSP simulator: the card processor of the contract's section 9, over real HTTP.

The PSP does what it is told and keeps no bounds (contract 9.10), so that what a service fails to
check shows.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from checks.testbed import psp_settlements
from checks.testbed.faults import Fault, Operation, SettlementFault
from checks.testbed.http import Answer, Received
from checks.testbed.journal import Entry
from checks.testbed.psp_books import Books, Request, refusal
from checks.testbed.psp_settlements import Movement, Settlements
from checks.testbed.simulator import Party

_PATHS: dict[str, Operation] = {
    "/v1/authorisations": "authorisation",
    "/v1/captures": "capture",
    "/v1/voids": "void",
    "/v1/refunds": "refund",
}
_DONE = frozenset(
    {
        "slow", "trickle", "drop_after", "status_after", "malformed_after",
        "wrong_amount", "wrong_currency", "wrong_id",
    }
)  # fmt: skip
_NONSENSE = '{"id": "op_'

#: What makes a head as long as proxies make them, and as a body is.
_LONG_HEAD = {"Via": "1.1 " + "0" * 240}


@dataclass(slots=True)
class _Scripted:
    """A fault that is in force, and what it withholds."""

    fault: Fault
    left: int | None
    lifted: asyncio.Event = field(default_factory=asyncio.Event)


class Psp(Party):
    """One testbed's PSP."""

    name = "psp"

    def __init__(self, api_key: str, lines: int = 1) -> None:
        super().__init__(api_key, lines)
        self._under_way: list[Entry] = []
        self._script: dict[str, _Scripted] = {}
        self._books = Books()
        self._settlements = Settlements(self._books.moved)
        self._faults = 0
        self._published: dict[str, str] = {}

    def publish(self, path: str, body: str) -> str:
        """Answer ``GET path`` with this body from now on, to whoever asks; gives the URL.

        It serves what a token or a body may point a service to. Such requests are not journalled.
        """
        self._published[path] = body
        return self.lines[0].url + path

    def told(self, card: str) -> list[dict[str, Any]]:
        """The operations on a card, in order, as notices tell them."""
        return self._books.told(card)

    def moved(self, card: str) -> list[Movement]:
        """The movements of money on a card, in order, as settlement files tell them."""
        return self._books.moved(card)

    def close(self, day: str) -> None:
        """Have the settlement file of a day from now on, although it is not over."""
        self._settlements.close(day)

    def script(self, fault: Fault | SettlementFault) -> str:
        """Put a fault in force until it is lifted or has served its times; gives its id."""
        if isinstance(fault, SettlementFault):
            return self._settlements.script(fault)
        self._faults += 1
        name = f"{fault.kind}-{self._faults}"
        self._script[name] = _Scripted(fault, fault.times)
        return name

    def lift(self, name: str | None = None) -> None:
        """End a fault, or all; replies that it withheld are let go."""
        self._settlements.lift(name)
        for found in [name] if name is not None else list(self._script):
            scripted = self._script.pop(found, None)
            if scripted is not None:
                scripted.lifted.set()

    def under_way(self, token: str | None = None) -> int:
        """How many calls wait for their answers; about one card only, if given.

        One that the service has given up waits no more.
        """
        return sum(1 for e in self._under_way if token is None or e.token == token)

    async def _answer(self, received: Received) -> Answer | None:
        if received.method == "GET" and received.path in self._published:
            return Answer(200, self._published[received.path])
        if received.method == "GET" and received.path.startswith(psp_settlements.PATH):
            return await self._settlement(received)
        operation, key, body = self._read(received)
        entry = Entry.of(received, key=key, token=self._books.card(operation, key, body))
        await self._journal.note(entry)
        if received.headers.get("authorization") != f"Bearer {self.api_key}":
            return entry.ended(refusal(401, "unauthorised", "The API key is wrong."))
        if operation is None:
            return entry.ended(refusal(404, "no_such_path", "There is no such path."))
        request = Request(operation, received.path, key, body)
        name, scripted = self._next_fault(operation, entry.token, body.get("reference"))
        if scripted is None:
            return entry.ended(self._perform(request, entry))
        entry.fault = scripted.fault.kind
        self._under_way.append(entry)
        try:
            answer = await self._faulty(scripted, request, entry)
        finally:
            self._under_way.remove(entry)
        if scripted.left == 0:
            self._script.pop(name, None)
        return entry.ended(answer)

    async def _settlement(self, received: Received) -> Answer | None:
        day = received.path.removeprefix(psp_settlements.PATH)
        entry = Entry.of(received, token=day)
        await self._journal.note(entry)
        if received.headers.get("authorization") != f"Bearer {self.api_key}":
            return entry.ended(refusal(401, "unauthorised", "The API key is wrong."))
        return entry.ended(self._settlements.answer(day))

    def _read(self, received: Received) -> tuple[Operation | None, str | None, Mapping[str, Any]]:
        if received.method == "GET" and received.path.startswith("/v1/operations/"):
            return "lookup", received.path.removeprefix("/v1/operations/"), {}
        key = received.headers.get("idempotency-key")
        try:
            body = json.loads(received.body)
        except ValueError:
            body = None
        operation = _PATHS.get(received.path) if received.method == "POST" else None
        if not isinstance(body, dict):
            return operation, key, {}
        if operation == "authorisation" and body.get("capture") is True:
            operation = "sale"
        return operation, key, body

    def _next_fault(
        self, operation: Operation, token: str | None, reference: object
    ) -> tuple[str, _Scripted | None]:
        for name, scripted in self._script.items():
            fault = scripted.fault
            if (
                scripted.left != 0
                and (not fault.operations or operation in fault.operations)
                and fault.token in (None, token)
                and fault.reference in (None, reference)
                and not (operation == "lookup" and fault.kind == "decline")
            ):
                if scripted.left is not None:
                    scripted.left -= 1
                return name, scripted
        return "", None

    async def _faulty(self, scripted: _Scripted, request: Request, entry: Entry) -> Answer | None:
        """What a fault makes of a request: done or not, told the truth or not."""
        fault = scripted.fault
        if fault.kind == "decline":
            return self._perform(request, entry, fault.reason)
        done = self._perform(request, entry) if _does_it(fault) else None
        if fault.kind == "undone":
            done, _ = deepcopy(self._books).perform(request)
        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.seconds)
                return done
            case "hang":
                await scripted.lifted.wait()
                return None
            case "hold":
                await scripted.lifted.wait()
                return done or self._perform(request, entry)
            case "drop_before" | "drop_after":
                return None
            case _:
                return _misleading(fault, request.operation, done)

    def _perform(self, request: Request, entry: Entry, declined: str | None = None) -> Answer:
        answer, entry.effect = self._books.perform(request, declined)
        return answer


def _does_it(fault: Fault) -> bool:
    """Whether the operation is done although the service is not told so properly."""
    return fault.effect or fault.kind in _DONE


def _misleading(fault: Fault, operation: Operation, done: Answer | None) -> Answer:
    if fault.kind == "not_found":
        return refusal(404, "not_found", "There is no such operation.")
    if fault.kind in ("status_before", "status_after"):
        if fault.status == HTTPStatus.NO_CONTENT:
            return Answer(fault.status, "")
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        return replace(refusal(fault.status, "unavailable", "Try again later."), headers=headers)
    if done is None or fault.kind == "malformed_after":
        status = 200 if operation == "lookup" else 201
        return Answer(status, _NONSENSE if fault.body is None else fault.body)
    return _altered(done, fault)


def _altered(answer: Answer, fault: Fault) -> Answer:
    """The same answer, but about something else than was asked, or slower than anybody waits."""
    if fault.kind == "trickle":
        headers = _LONG_HEAD if fault.head else {}
        return replace(answer, headers=headers, pace=fault.seconds, head=fault.head)
    told = json.loads(answer.body)
    if "id" not in told:
        return answer
    match fault.kind:
        case "wrong_amount":
            told["amount"] = fault.amount or _one_more(told["amount"])
        case "wrong_currency":
            other = "EUR" if told["currency"] != "EUR" else "USD"
            told["currency"] = fault.currency or other
        case "undone":
            told["status"] = _another("status")
        case _:
            told[fault.member] = _another(fault.member)
    return Answer(answer.status, json.dumps(told))


def _one_more(amount: str) -> str:
    digits = len(amount.partition(".")[2])
    more = str(int(amount.replace(".", "")) + 1).rjust(digits + 1, "0")
    return f"{more[:-digits]}.{more[-digits:]}" if digits else more


def _another(member: str) -> str:
    if member in ("status", "type"):
        return "processed"
    prefix = {"id": "op_", "authorisation": "auth_"}.get(member, "")
    return prefix + secrets.token_hex(12)
