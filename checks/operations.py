"""The operations that take an idempotency key, each with what it needs and how its effects count.

A ``Case`` is one request ready to be sent; ``effects`` tells how often it took effect, in the
ledger and at the PSP, whatever was answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from checks.amounts import Money
from checks.attachment import Psp
from checks.client import Answer, Client
from checks.fresh import Fresh
from checks.processor import effects
from checks.shapes import Account
from checks.tenants import Merchant, Platform, payment_body, transfer_body


@dataclass(frozen=True, slots=True)
class Case:
    """One request that takes a key. ``effects`` counts its effects so far: (ledger, PSP)."""

    caller: Client
    path: str
    body: dict[str, Any]
    effects: Callable[[], Awaitable[tuple[int, int]]]
    whole: tuple[int, int]
    merchant: Merchant
    account: Account

    async def send(self, key: str, *, replica: int | None = None, **options: Any) -> Answer:
        """Send it under a key."""
        return await self.caller.post(self.path, self.body, key=key, replica=replica, **options)


@dataclass(frozen=True, slots=True)
class Tenants:
    """Who takes part in an operation."""

    alice: Merchant
    bob: Merchant
    platform: Platform
    psp: Psp
    fresh: Fresh


Operation = Callable[[Tenants], Awaitable[Case]]


def _counting(
    tenants: Tenants, account: Account, kind: str, card: str | None, type_: str = ""
) -> Callable[[], Awaitable[tuple[int, int]]]:
    async def count() -> tuple[int, int]:
        entries = await tenants.alice.entries(account)
        posted = sum(entry.kind == kind for entry in entries)
        if card is None:
            return posted, 0
        done = effects(await tenants.psp.journal(card))
        return posted, sum(effect.type == type_ for effect in done)

    return count


async def deposit(tenants: Tenants) -> Case:
    """The administrator credits an account."""
    account = await tenants.alice.open_account()
    body = {"account": account.id, "amount": tenants.fresh.money(100, 9000).json()}
    count = _counting(tenants, account, "deposit", None)
    return Case(
        tenants.platform.client, "/v1/deposits", body, count, (1, 0), tenants.alice, account
    )


async def transfer(tenants: Tenants) -> Case:
    """Alice pays bob."""
    source, target = await tenants.alice.funded(), await tenants.bob.open_account()
    body = transfer_body(source, target, tenants.fresh.money(100, 9000))
    count = _counting(tenants, source, "transfer", None)
    return Case(tenants.alice.owner, "/v1/transfers", body, count, (1, 0), tenants.alice, source)


async def reversal(tenants: Tenants) -> Case:
    """Alice gives back what bob paid her."""
    source, target = await tenants.bob.funded(), await tenants.alice.funded()
    made = await tenants.bob.transfer(source, target, tenants.fresh.money(100, 9000))
    count = _counting(tenants, target, "transfer_reversal", None)
    path = f"{made.url}/reversal"
    return Case(tenants.alice.owner, path, {}, count, (1, 0), tenants.alice, target)


async def sale(tenants: Tenants) -> Case:
    """A payment captured at once."""
    account, card = await tenants.alice.open_account(), tenants.fresh.card()
    body = payment_body(account, tenants.fresh.money(1000, 9000), card)
    count = _counting(tenants, account, "capture", card, "sale")
    return Case(tenants.alice.owner, "/v1/payments", body, count, (1, 1), tenants.alice, account)


async def authorisation(tenants: Tenants) -> Case:
    """A payment to be captured later."""
    account, card = await tenants.alice.open_account(), tenants.fresh.card()
    body = payment_body(account, tenants.fresh.money(1000, 9000), card, capture=False)
    count = _counting(tenants, account, "capture", card, "authorisation")
    return Case(tenants.alice.owner, "/v1/payments", body, count, (0, 1), tenants.alice, account)


async def _follow_up(tenants: Tenants, act: str, kind: str) -> Case:
    """Something done to a payment taken before."""
    account, card = await tenants.alice.funded(), tenants.fresh.card()
    amount = tenants.fresh.money(5000, 9000)
    payment = await tenants.alice.pay(amount, account, capture=act == "refunds", card=card)
    body: dict[str, Any] = {}
    if act == "refunds":
        body = {"amount": Money(amount.amount // 5, "GBP").json()}
    count = _counting(tenants, account, kind, card, kind)
    whole = (0, 1) if kind == "void" else (1, 1)
    path = f"{payment.url}/{act}"
    return Case(tenants.alice.owner, path, body, count, whole, tenants.alice, account)


async def capture(tenants: Tenants) -> Case:
    """An authorisation is captured."""
    return await _follow_up(tenants, "capture", "capture")


async def void(tenants: Tenants) -> Case:
    """An authorisation is voided."""
    return await _follow_up(tenants, "void", "void")


async def refund(tenants: Tenants) -> Case:
    """A fifth of a capture is refunded, so that four more would fit."""
    return await _follow_up(tenants, "refunds", "refund")


#: All operations that contract 5.1 names.
OPERATIONS: dict[str, Operation] = {
    "deposit": deposit,
    "transfer": transfer,
    "reversal": reversal,
    "sale": sale,
    "authorisation": authorisation,
    "capture": capture,
    "void": void,
    "refund": refund,
}
