"""Payments brought to the point where the PSP is asked, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from checks.amounts import Money, fee
from checks.attachment import Psp
from checks.books import Books
from checks.client import Answer
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import seen
from checks.processor import effects
from checks.shapes import Account, Entry, Page, Payment, Refund
from checks.tenants import FUNDS, Merchant, payment_body
from checks.testbed.faults import Operation

#: Entries among which an operation's own is looked for: it is one of the latest.
_LATEST = 40

#: The PSP's operations, by its own words.
KINDS: tuple[Operation, ...] = ("sale", "authorisation", "capture", "void", "refund")


@dataclass(frozen=True, slots=True)
class Till:
    """The one account on which all of a check's payments are taken, and its books."""

    merchant: Merchant
    psp: Psp
    fresh: Fresh
    account: Account
    books: Books
    drawn: set[int] = field(default_factory=set)

    @classmethod
    async def open(cls, merchant: Merchant, psp: Psp, fresh: Fresh) -> Till:
        """A funded account."""
        books = Books()
        account = books.open(merchant, await merchant.funded())
        books.deposit(account, Money(FUNDS, "GBP"))
        return cls(merchant, psp, fresh, account, books)

    async def ask(self, kinds: Iterable[str]) -> list[Asked]:
        """Operations of these kinds, in their order, ready to be sent."""
        drawn = [(kind, self.fresh.card(), self._draw()) for kind in kinds]
        ready: dict[int, Asked] = {}

        async def make_ready(place: int) -> None:
            ready[place] = await self._ask(*drawn[place])

        await all_of((make_ready(place) for place in range(len(drawn))), at_once=8)
        return [ready[place] for place in range(len(drawn))]

    def _draw(self) -> Money:
        """An amount that no other operation here has, nor a quarter of it."""
        while (amount := self.fresh.money(2_000, 90_000)).amount // 4 in self.drawn:
            pass
        self.drawn.add(amount.amount // 4)
        return amount

    async def _ask(self, kind: str, card: str, amount: Money) -> Asked:
        if kind in {"sale", "authorisation"}:
            body = payment_body(self.account, amount, card, capture=kind == "sale")
            body["reference"] = card.lower()[4:]
            return Asked(self, kind, card, amount, "/v1/payments", body, self.fresh.key())
        payment = await self.merchant.pay(amount, self.account, capture=kind == "refund", card=card)
        body = {}
        if kind == "refund":
            self.books.capture(self.account, amount)
            amount = Money(amount.amount // 4, "GBP")
            body = {"amount": amount.json()}
        path = f"{payment.url}/{'refunds' if kind == 'refund' else kind}"
        return Asked(self, kind, card, amount, path, body, self.fresh.key(), payment.id)

    async def listed(self) -> list[Payment]:
        """All payments as the service lists them."""
        walked = self.merchant.walk("/v1/payments")
        return [answer.read_value(item, Payment) async for answer, item in walked]

    async def payments(self) -> dict[str, Payment]:
        """The same, by id and by reference."""
        found: dict[str, Payment] = {}
        for payment in await self.listed():
            found[payment.id] = payment
            if payment.reference:
                found[payment.reference] = payment
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation that asks the PSP, to be sent while the PSP misbehaves.

    ``kind`` is the PSP's word for it. ``payment`` is the payment's id where it was made before;
    for a sale or an authorisation it is found by its reference.
    """

    till: Till
    kind: str
    card: str
    amount: Money
    path: str
    body: dict[str, Any]
    key: str
    payment: str | None = None

    async def send(self, replica: int | None = None) -> Answer:
        """Send it, or send it again, under its one key."""
        return await self.till.merchant.post(self.path, self.body, key=self.key, replica=replica)

    async def charged(self) -> int:
        """How often the PSP has carried it out."""
        done = effects(await self.till.psp.journal(self.card))
        return sum(effect.type == self.kind for effect in done)

    async def posted(self) -> int:
        """How often it is in the ledger, among the last entries of the account."""
        if self.kind in {"authorisation", "void"}:
            return 0
        net = -self.amount if self.kind == "refund" else self.amount - fee(self.amount)
        path = f"{self.till.account.url}/entries?limit={_LATEST}"
        answer = await seen(self.till.merchant.owner, path)
        entries = answer.read(Page).data
        return sum(answer.read_value(one, Entry).amount.money == net for one in entries)

    def among(self, payments: dict[str, Payment]) -> Payment | None:
        """The payment as the service lists it, if it does."""
        return payments.get(self.payment or str(self.body.get("reference")))

    async def found(self) -> Payment | None:
        """The payment as the service lists it now, if it does."""
        return self.among(await self.till.payments())

    def settled(self) -> None:
        """Note in the books that it took effect."""
        if self.kind in {"sale", "capture"}:
            self.till.books.capture(self.till.account, self.amount)
        elif self.kind == "refund":
            self.till.books.refund(self.till.account, self.amount)

    def says_done(self, payment: Payment) -> bool:
        """Whether the payment shows this operation as carried out."""
        if self.kind == "refund":
            return any(refund.status == "succeeded" for refund in payment.refunds)
        return payment.status in _DONE[self.kind]

    def says_failed(self, payment: Payment) -> bool:
        """Whether the payment shows this operation as one that failed for good."""
        if self.kind == "refund":
            return any(refund.status == "failed" for refund in payment.refunds)
        return payment.status in _FAILED - _DONE[self.kind]

    def answers_done(self, answer: Answer) -> bool:
        """Whether a 200 or 201 says that the operation was carried out."""
        if answer.status not in {200, 201}:
            return False
        if self.kind == "refund":
            return answer.read(Refund).status == "succeeded"
        return answer.read(Payment).status in _DONE[self.kind]


#: What a payment shows once its operation has been carried out.
_DONE = {
    "sale": {"captured"},
    "authorisation": {"authorised"},
    "capture": {"captured"},
    "void": {"voided"},
}

#: What says that a payment came to nothing.
_FAILED = {"declined", "voided", "expired"}
