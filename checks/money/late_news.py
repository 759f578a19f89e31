"""News of the PSP's that other news has outrun (contract 6.26, 6.27)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.news import REASON, expiry_of
from checks.notices import bring, psp_notice
from checks.resilience.cases import Till
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.verdicts import Broken


@dataclass(frozen=True, slots=True)
class Desk:
    """A merchant's payments on one account, and the PSP that tells of them."""

    till: Till
    testbed: Testbed

    @property
    def merchant(self) -> Merchant:
        """The merchant."""
        return self.till.merchant

    @property
    def fresh(self) -> Fresh:
        """Fresh values."""
        return self.till.fresh

    async def authorised(self, card: str) -> Payment:
        """A payment that is not captured yet."""
        amount = self.fresh.money(20_000, 90_000)
        return await self.merchant.pay(amount, self.till.account, capture=False, card=card)

    async def sold(self, card: str) -> Payment:
        """One that was captured at once."""
        amount = self.fresh.money(20_000, 90_000)
        return await self.merchant.pay(amount, self.till.account, card=card)

    async def refund(self, payment: Payment, parts: int = 1) -> None:
        """Refund a part of what is captured; all of it if there is one."""
        total = payment.amount.money
        await self.merchant.refund(payment, Money(total.amount // parts, total.currency))

    async def refund_in_two(self, payment: Payment) -> None:
        """Refund all of it, by two refunds."""
        total, part = payment.amount.money, payment.amount.money.amount // 3
        await self.merchant.refund(payment, Money(part, total.currency))
        await self.merchant.refund(payment, Money(total.amount - part, total.currency))

    async def declined(self, payment: Payment, card: str, kind: str) -> None:
        """Ask for a capture or a void that the PSP declines."""
        operations: tuple[Any, ...] = (kind,)
        fault = await self.testbed.psp.fault("decline", *operations, token=card, reason=REASON)
        answer = await self.merchant.post(f"{payment.url}/{kind}", {}, key=self.fresh.key())
        await self.testbed.psp.lift(fault)
        answer.expect(402)

    async def operation(self, card: str, kind: str) -> dict[str, Any]:
        """The first operation of a kind on a card."""
        for one in await self.testbed.psp.told(card):
            if one["type"] == kind:
                return one
        raise Broken(f"A {kind} was answered as done or declined, and the PSP has none.")

    async def expiry(self, card: str) -> dict[str, Any]:
        """That the card's authorisation has run out."""
        return expiry_of(await self.operation(card, "authorisation"), self.fresh)

    async def bring(self, operation: Mapping[str, Any], replica: int | None = None) -> Answer:
        """Bring a notice of an operation."""
        notice = psp_notice(operation, self.fresh)
        return await bring("psp", notice, self.testbed, self.merchant.platform, replica)


#: What becomes of an authorised payment, by what it is called.
Then = Callable[[Desk, Payment], Awaitable[object]]


async def _captured(desk: Desk, payment: Payment) -> None:
    await desk.merchant.capture(payment)


async def _voided(desk: Desk, payment: Payment) -> None:
    await desk.merchant.void(payment)


async def _partly_refunded(desk: Desk, payment: Payment) -> None:
    await desk.merchant.capture(payment)
    await desk.refund(payment, 4)


async def _refunded(desk: Desk, payment: Payment) -> None:
    await desk.merchant.capture(payment)
    await desk.refund_in_two(payment)


_AFTER_AUTHORISATION: dict[str, Then] = {
    "was captured": _captured,
    "was voided": _voided,
    "was refunded in part": _partly_refunded,
    "was refunded": _refunded,
}


@dataclass(frozen=True, slots=True)
class Late:
    """News of a payment that other news has outrun; ``says`` and ``since`` are for the report.

    ``contradicts``: it says of an operation that has succeeded that it was declined.
    """

    says: str
    since: str
    payment: Payment
    card: str
    operation: Mapping[str, Any]
    contradicts: bool = False

    def __str__(self) -> str:
        return f"a notice that says {self.says}, when the payment {self.since}"


async def outrun(desk: Desk) -> AsyncIterator[Late]:
    """News that comes late, of each kind."""
    for since, then in _AFTER_AUTHORISATION.items():
        card = desk.fresh.card()
        payment = await desk.authorised(card)
        await then(desk, payment)
        told = await desk.operation(card, "authorisation")
        yield Late("that it is authorised", since, payment, card, told)
        yield Late("that it has run out", since, payment, card, await desk.expiry(card))
        yield Late("that it was declined", since, payment, card, _declined(told), contradicts=True)

    card = desk.fresh.card()
    payment = await desk.authorised(card)
    (await desk.bring(await desk.expiry(card))).expect(204)
    told = await desk.operation(card, "authorisation")
    yield Late("that it is authorised", "has run out", payment, card, told)

    for part, since in ((4, "was refunded in part"), (1, "was refunded")):
        card = desk.fresh.card()
        payment = await desk.sold(card)
        await desk.refund(payment, part)
        told = await desk.operation(card, "sale")
        yield Late("that it is captured", since, payment, card, told)
        yield Late("that it was declined", since, payment, card, _declined(told), contradicts=True)

        card = desk.fresh.card()
        payment = await desk.authorised(card)
        await desk.merchant.capture(payment)
        await desk.refund(payment, part)
        told = await desk.operation(card, "capture")
        yield Late("that it is captured", since, payment, card, told)

    card = desk.fresh.card()
    payment = await desk.sold(card)
    await desk.refund_in_two(payment)
    told = await desk.operation(card, "refund")
    yield Late("that its first refund succeeded", "was refunded by two", payment, card, told)


async def declined_late(desk: Desk) -> AsyncIterator[Late]:
    """Declines of what was tried again, or had succeeded."""
    for kind in ("capture", "void"):
        for since, then in (("was captured", _captured), ("was voided", _voided)):
            card = desk.fresh.card()
            payment = await desk.authorised(card)
            await desk.declined(payment, card, kind)
            await then(desk, payment)
            told = await desk.operation(card, kind)
            yield Late(f"that an earlier {kind} was declined", since, payment, card, told)

    for kind, since, then in (
        ("capture", "was captured", _captured),
        ("void", "was voided", _voided),
        ("refund", "was refunded in part", _partly_refunded),
    ):
        card = desk.fresh.card()
        payment = await desk.authorised(card)
        await then(desk, payment)
        told = _declined(await desk.operation(card, kind))
        says = f"that its {kind} was declined"
        yield Late(says, since, payment, card, told, contradicts=True)

    card = desk.fresh.card()
    payment = await desk.sold(card)
    told = _declined(await desk.operation(card, "sale"))
    yield Late("that it was declined", "was captured", payment, card, told, contradicts=True)


def _declined(operation: Mapping[str, Any]) -> dict[str, Any]:
    return {**operation, "status": "declined", "reason": REASON}
