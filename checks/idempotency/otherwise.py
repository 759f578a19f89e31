"""Requests that a key may stand for, each with others that it must not stand for as well.

A key is spent on one method, path and JSON value (contract 5.4). Each ``Asked`` is a request that
is about to spend one, and what differs from it in one thing alone.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.operations import OPERATIONS, Case, Tenants
from checks.payouts import Desk, payout_body

#: Operations of which another one is another path: what they are done to is named there.
_ON_A_PATH = frozenset({"reversal", "capture", "void", "refund"})

#: Those whose body may hold a reference.
_REFERRING = frozenset({"deposit", "transfer", "sale", "refund"})

Counts = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Other:
    """Another request under the key, and in ``what`` it is another."""

    what: str
    path: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that spends a key; ``effects`` tells what it and the ``others`` have done."""

    name: str
    caller: Client
    path: str
    body: dict[str, Any]
    effects: Counts
    others: tuple[Other, ...]

    async def send(self, key: str, replica: int) -> Answer:
        """Send it."""
        return await self.caller.post(self.path, self.body, key=key, replica=replica)

    async def rewritten(self, key: str, replica: int) -> Answer:
        """Send the same JSON value in other bytes."""
        turned = dict(reversed([(name, _turned(one)) for name, one in self.body.items()]))
        return await self.caller.post(
            self.path,
            content=json.dumps(turned, indent=1).encode(),
            key=key,
            replica=replica,
        )


def _turned(value: object) -> object:
    return dict(reversed(value.items())) if isinstance(value, dict) else value


async def operation(tenants: Tenants, name: str) -> Asked:
    """One of the operations on accounts and payments."""
    make = OPERATIONS[name]
    twin = await make(tenants) if name in _ON_A_PATH else None
    case = await make(tenants)

    async def effects() -> object:
        return await case.effects(), None if twin is None else await twin.effects()

    others = [
        *await _members(tenants, name, case),
        *([] if twin is None else [Other(f"another {_object(name)}", twin.path, case.body)]),
    ]
    if name == "capture":
        others.append(Other("a void of it", f"{case.path.removesuffix('capture')}void", case.body))
    return Asked(name, case.caller, case.path, case.body, effects, tuple(others))


async def _members(tenants: Tenants, name: str, case: Case) -> list[Other]:
    """The same with one member of the body otherwise."""
    fresh, changes = tenants.fresh, list[tuple[str, str, object]]()
    if "amount" in case.body:
        less = Money(case.body["amount"]["amount"] - fresh.number(1, 50), "GBP")
        changes.append(("amount", "another amount", less.json()))
    elif name == "capture":
        changes.append(("amount", "a part of the amount", fresh.money(100, 900).json()))
    for member, owner in (("to", tenants.bob), ("account", tenants.alice)):
        if member in case.body:
            other = await tenants.account(f"another {member}", owner)
            changes.append((member, "another account", other.id))
    if name == "sale":
        changes.append(("payment_method", "another card", fresh.card()))
    if name == "authorisation":
        changes.append(("capture", "captured at once", True))
    if name in _REFERRING:
        changes.append(("reference", "a reference", fresh.reference()))
    return [Other(what, case.path, case.body | {member: to}) for member, what, to in changes]


def _object(name: str) -> str:
    return "transfer" if name == "reversal" else "payment"


async def conversion(tenants: Tenants) -> Asked:
    """A quote is executed; the other is another quote."""
    alice, fresh = tenants.alice, tenants.fresh
    source = await tenants.account("conversion", alice, funded=True)
    target = await alice.open_account("EUR")
    quotes = [await alice.quote(source, target, fresh.money(1000, 9000)) for _ in range(2)]

    async def effects() -> object:
        return [(await alice.get(quote.url)).expect(200).json for quote in quotes]

    one, other = (f"{quote.url}/execute" for quote in quotes)
    return Asked("conversion", alice.owner, one, {}, effects, (Other("another quote", other, {}),))


async def payout(tenants: Tenants) -> Asked:
    """A payout is made; the others are of another amount, or to somebody else."""
    alice, fresh = tenants.alice, tenants.fresh
    source = await tenants.account("payout", alice, funded=True)
    body = payout_body(source, fresh.money(1000, 9000), fresh.payee())
    less = Money(body["amount"]["amount"] - fresh.number(1, 50), "GBP")
    path = "/v1/payouts"

    async def effects() -> object:
        return [item["id"] async for _, item in alice.walk(path)]

    others = (
        Other("another amount", path, body | {"amount": less.json()}),
        Other("another payee", path, body | {"payee": fresh.payee().model_dump()}),
    )
    return Asked("payout", alice.owner, path, body, effects, others)


async def approval(tenants: Tenants, testbed: Testbed) -> Asked:
    """A payout is approved; the other is another payout, with the same code."""
    alice, desk = tenants.alice, await Desk.open(tenants.alice, testbed)
    source = await tenants.account("payout", alice, funded=True)
    made = [await desk.make(source, tenants.fresh.money(1000, 9000)) for _ in range(2)]
    body = {"code": await desk.code(made[0])}

    async def effects() -> object:
        return [(await desk.shown(made[1])).status]

    one, other = (f"{payout.url}/approve" for payout in made)
    return Asked(
        "approval", alice.owner, one, body, effects, (Other("another payout", other, body),)
    )
