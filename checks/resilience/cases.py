"""Payments brought to the point where the PSP is asked, and what must be true of them afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from checks.amounts import Money
from checks.attachment import Psp
from checks.books import Books
from checks.client import Answer
from checks.fresh import Fresh
from checks.processor import effects
from checks.shapes import Account, Payment
from checks.tenants import FUNDS, Merchant, payment_body


@dataclass(slots=True)
class Asked:
    """One operation that asks the PSP, ready to be sent while the PSP misbehaves.

    ``kind`` is the PSP's word for it. ``payment`` is known beforehand for captures, voids and refunds;
    for a sale or an authorisation it is found afterwards on its account, which has no other.
    """

    kind: str
    merchant: Merchant
    psp: Psp
    account: Account
    card: str
    amount: Money
    path: str
    body: dict[str, Any]
    key: str
    books: Books
    payment: Payment | None = None
    before: int = field(default=0)

    async def send(self) -> Answer:
        """Send it, or send it again, under its one key."""
        return await self.merchant.post(self.path, self.body, key=self.key)

    async def charged(self) -> int:
        """How often the PSP has carried it out."""
        done = effects(await self.psp.journal(self.card))
        return sum(effect.type == self.kind for effect in done)

    async def found(self) -> Payment | None:
        """The payment as the service shows it, if it shows one."""
        if self.payment is not None:
            return await self.merchant.payment(self.payment)
        async for answer, item in self.merchant.walk("/v1/payments"):
            if item.get("account") == self.account.id:
                return answer.read_value(item, Payment)
        return None

    def settled(self) -> None:
        """Note in the books that it took effect."""
        if self.kind in {"sale", "capture"}:
            self.books.capture(self.account, self.amount)
        elif self.kind == "refund":
            self.books.refund(self.account, self.amount)


async def _first(merchant: Merchant, psp: Psp, fresh: Fresh, kind: str) -> Asked:
    account, card, amount = await merchant.open_account(), fresh.card(), fresh.money(2_000, 90_000)
    books = Books()
    books.open(merchant, account)
    body = payment_body(account, amount, card, capture=kind == "sale")
    path, key = "/v1/payments", fresh.key()
    return Asked(kind, merchant, psp, account, card, amount, path, body, key, books)


async def _later(merchant: Merchant, psp: Psp, fresh: Fresh, kind: str) -> Asked:
    account, card, amount = await merchant.funded(), fresh.card(), fresh.money(2_000, 90_000)
    books = Books()
    books.open(merchant, account)
    books.deposit(account, Money(FUNDS, "GBP"))
    payment = await merchant.pay(amount, account, capture=kind == "refund", card=card)
    body: dict[str, Any] = {}
    if kind == "refund":
        books.capture(account, amount)
        amount = Money(amount.amount // 4, "GBP")
        body = {"amount": amount.json()}
    path = f"{payment.url}/{'refunds' if kind == 'refund' else kind}"
    key = fresh.key()
    return Asked(kind, merchant, psp, account, card, amount, path, body, key, books, payment)


Maker = Callable[[Merchant, Psp, Fresh, str], Awaitable[Asked]]

#: How each operation is brought about, by the PSP's word for it.
MAKERS: dict[str, Maker] = {
    "sale": _first,
    "authorisation": _first,
    "capture": _later,
    "void": _later,
    "refund": _later,
}
