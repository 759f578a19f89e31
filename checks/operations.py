"""The operations that take an idempotency key, each with what it needs and how its effects count.

A ``Case`` is one request ready to be sent; ``effects`` tells how often it took effect, in the
ledger and at the PSP, whatever was answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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
    """One request that takes a key. ``effects`` counts its effects so far: (ledger, PSP).

    ``card`` is the PSP's token of the payment that it is about, if it is about one.
    """

    caller: Client
    path: str
    body: dict[str, Any]
    effects: Callable[[], Awaitable[tuple[int, int]]]
    whole: tuple[int, int]
    merchant: Merchant
    account: Account
    card: str | None = None

    async def send(self, key: str, *, replica: int | None = None, **options: Any) -> Answer:
        """Send it under a key."""
        return await self.caller.post(self.path, self.body, key=key, replica=replica, **options)


def counted(effects: tuple[int, int]) -> str:
    """Effects in words: how often in the ledger, and at the PSP."""
    ledger, psp = ("once" if count == 1 else f"{count} times" for count in effects)
    return f"{ledger} in the ledger and {psp} at the PSP"


@dataclass(frozen=True, slots=True)
class Tenants:
    """Who takes part in operations, and the accounts on which each kind of them is tried.

    Cases of one operation come one after another on its account: what ``effects`` saw last is where
    the next case begins to count.
    """

    alice: Merchant
    bob: Merchant
    platform: Platform
    psp: Psp
    fresh: Fresh
    accounts: dict[str, Account] = field(default_factory=dict)
    posted: dict[str, int] = field(default_factory=dict)

    async def account(self, name: str, owner: Merchant, *, funded: bool = False) -> Account:
        """The owner's account for this purpose; opened when first asked for."""
        if name not in self.accounts:
            made = owner.funded() if funded else owner.open_account()
            self.accounts[name] = await made
        return self.accounts[name]

    def counting(
        self, account: Account, kind: str, card: str | None = None, done: str = ""
    ) -> Callable[[], Awaitable[tuple[int, int]]]:
        """Counts entries of a kind on alice's account from now on, and what was done to a card."""
        base = self.posted.get(account.id, 0)

        async def count() -> tuple[int, int]:
            entries = await self.alice.entries(account)
            self.posted[account.id] = sum(entry.kind == kind for entry in entries)
            posted = self.posted[account.id] - base
            if card is None:
                return posted, 0
            journal = effects(await self.psp.journal(card))
            return posted, sum(effect.type == done for effect in journal)

        return count


Operation = Callable[[Tenants], Awaitable[Case]]


async def deposit(tenants: Tenants) -> Case:
    """The administrator credits an account."""
    account = await tenants.account("deposit", tenants.alice)
    body = {"account": account.id, "amount": tenants.fresh.money(100, 9000).json()}
    count = tenants.counting(account, "deposit")
    return Case(
        tenants.platform.client, "/v1/deposits", body, count, (1, 0), tenants.alice, account
    )


async def transfer(tenants: Tenants) -> Case:
    """Alice pays bob."""
    source = await tenants.account("transfer", tenants.alice, funded=True)
    target = await tenants.account("transfer to", tenants.bob)
    body = transfer_body(source, target, tenants.fresh.money(100, 9000))
    count = tenants.counting(source, "transfer")
    return Case(tenants.alice.owner, "/v1/transfers", body, count, (1, 0), tenants.alice, source)


async def reversal(tenants: Tenants) -> Case:
    """Alice gives back what bob paid her."""
    source = await tenants.account("reversal to", tenants.bob, funded=True)
    target = await tenants.account("reversal", tenants.alice, funded=True)
    made = await tenants.bob.transfer(source, target, tenants.fresh.money(100, 9000))
    count = tenants.counting(target, "transfer_reversal")
    path = f"{made.url}/reversal"
    return Case(tenants.alice.owner, path, {}, count, (1, 0), tenants.alice, target)


async def _payment(tenants: Tenants, name: str, *, capture: bool) -> Case:
    account, card = await tenants.account(name, tenants.alice), tenants.fresh.card()
    body = payment_body(account, tenants.fresh.money(1000, 9000), card, capture=capture)
    count = tenants.counting(account, "capture", card, name)
    whole = (1, 1) if capture else (0, 1)
    return Case(
        tenants.alice.owner, "/v1/payments", body, count, whole, tenants.alice, account, card
    )


async def sale(tenants: Tenants) -> Case:
    """A payment captured at once."""
    return await _payment(tenants, "sale", capture=True)


async def authorisation(tenants: Tenants) -> Case:
    """A payment to be captured later."""
    return await _payment(tenants, "authorisation", capture=False)


async def _follow_up(tenants: Tenants, act: str, kind: str) -> Case:
    """Something done to a payment taken before."""
    account = await tenants.account(kind, tenants.alice, funded=True)
    card, amount = tenants.fresh.card(), tenants.fresh.money(5000, 9000)
    payment = await tenants.alice.pay(amount, account, capture=act == "refunds", card=card)
    body: dict[str, Any] = {}
    if act == "refunds":
        body = {"amount": Money(amount.amount // 5, "GBP").json()}
    count = tenants.counting(account, kind, card, kind)
    whole = (0, 1) if kind == "void" else (1, 1)
    path = f"{payment.url}/{act}"
    return Case(tenants.alice.owner, path, body, count, whole, tenants.alice, account, card)


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
