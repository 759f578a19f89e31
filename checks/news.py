"""What the PSP tells of a merchant's operations, and what is to be seen of them (contract 6.26).

Operations are left without an answer, so that a notice is the first to tell how they ended, or
ended by the reply, so that the notice comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.events import events_of
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.losers import SETTLED
from checks.notices import bring, psp_notice
from checks.processor import last_reference
from checks.resilience.cases import Asked, Till
from checks.shapes import Balance, Payment
from checks.testbed.faults import FaultKind
from checks.verdicts import Broken, NotReached

#: Where it is charged that an operation without an outcome is taken for declined, or for done.
_DECLINED = "resilience/no_answer_is_neither_paid_nor_declined"
_DONE = "resilience/only_success_is_success"

#: Seconds between two looks at whether the PSP has heard of something.
_PAUSE = 0.05

#: Why the PSP declines.
REASON = "do_not_honour"


@dataclass(frozen=True, slots=True)
class News:
    """How an operation ended, as a notice of the PSP's tells it; ``payment`` as it was before.

    ``fault`` is what has kept the service from hearing of it, if anything has.
    """

    asked: Asked
    payment: Payment
    operation: Mapping[str, Any]
    fault: str | None = None

    def __str__(self) -> str:
        return f"{self.operation['type']} {self.operation['status']}"

    def notice(self) -> bytes:
        """A notice of it, with an id of its own."""
        return psp_notice(self.operation, self.asked.till.fresh)

    async def bring(self, testbed: Testbed, replica: int | None = None) -> Answer:
        """Bring such a notice, signed just now."""
        platform = self.asked.till.merchant.platform
        return await bring("psp", self.notice(), testbed, platform, replica)

    def taken_in(self, payment: Payment) -> bool:
        """Whether the payment shows this end; declines of captures and voids show nowhere."""
        if self.operation["type"] == "expiry":
            return payment.status == "expired"
        if self.operation["status"] == "declined":
            return self.asked.says_failed(payment)
        return self.asked.says_done(payment)


async def untold(asked: Asked, *, declined: bool) -> News:
    """Send an operation of whose end the service hears nothing until the fault is lifted.

    What is declined the PSP has never heard of, and hears no more of once a notice has settled it.
    Raises ``NotReached`` where the service does not leave it open.
    """
    psp, kind = asked.till.psp, _withholding(declined=declined)
    operations: tuple[Any, ...] = (asked.kind, "lookup")
    fault = await psp.fault(kind, *operations, token=asked.card)
    answer = await asked.send()
    if answer.status == 402 or asked.answers_done(answer):
        charged = _DECLINED if answer.status == 402 else _DONE
        raise NotReached(f"{answer}, though the PSP did not answer.", charged)
    if not ambiguous(answer):
        raise Broken(f"{answer}, and the PSP did not answer; it has to be 202, 502 or 504.")
    payment = await _payment(asked, answer)
    operation = await _declined(asked) if declined else await latest(asked)
    return News(asked, payment, operation, fault)


async def told(asked: Asked, *, declined: bool) -> News:
    """Send an operation whose end the PSP's reply tells."""
    psp = asked.till.psp
    operations: tuple[Any, ...] = (asked.kind,)
    if declined:
        fault = await psp.fault("decline", *operations, token=asked.card, reason=REASON)
        answer = (await asked.send()).expect(402)
        await psp.lift(fault)
    else:
        answer = (await asked.send()).expect(200, 201)
    payment = await _payment(asked, answer)
    return News(asked, payment, await latest(asked))


async def heard(psp: Psp, card: str, what: str) -> None:
    """Wait until the PSP is at something on a card, whose reply it withholds.

    Raises ``Broken`` where it is not asked in time.
    """
    deadline = asyncio.get_running_loop().time() + SETTLED
    while not await psp.under_way(card):
        if asyncio.get_running_loop().time() > deadline:
            raise Broken(f"{SETTLED:g} s after a {what} was sent, the PSP has not heard.")
        await asyncio.sleep(_PAUSE)


async def under_way(asked: Asked) -> Payment:
    """The payment, as soon as the PSP is at the operation; raises ``Broken`` as ``heard``."""
    await heard(asked.till.psp, asked.card, asked.kind)
    payment = await asked.found()
    if payment is None:
        raise Broken(f"A {asked.kind} is under way, and its payment is not listed.")
    return payment


async def run_out(till: Till) -> News:
    """An authorisation that has run out, of which the service knows nothing yet."""
    (asked,) = await till.ask(["authorisation"])
    before = await told(asked, declined=False)
    return News(asked, before.payment, expiry_of(before.operation, till.fresh))


def expiry_of(authorisation: Mapping[str, Any], fresh: Fresh) -> dict[str, Any]:
    """How it is told that an authorisation has run out (contract 9.11)."""
    return {**authorisation, "id": f"op_{fresh.word(24)}", "type": "expiry"}


async def lift(found: Iterable[News]) -> None:
    """Let the service hear of them all."""
    for news in found:
        if news.fault is not None:
            await news.asked.till.psp.lift(news.fault)


def _withholding(*, declined: bool) -> FaultKind:
    return "drop_before" if declined else "drop_after"


async def _payment(asked: Asked, answer: Answer) -> Payment:
    payment = await asked.found()
    if payment is None:
        raise Broken(f"{answer}, and the payment is not listed.")
    return payment


async def latest(asked: Asked) -> dict[str, Any]:
    """The operation as the PSP has it."""
    operations = await asked.till.psp.told(asked.card)
    found = [one for one in operations if one["type"] == asked.kind]
    if not found:
        raise Broken(f"A {asked.kind} was sent, and the PSP has none.")
    return found[-1]


async def _declined(asked: Asked) -> dict[str, Any]:
    """How the PSP would decline what it was asked for last."""
    psp, fresh = asked.till.psp, asked.till.fresh
    earlier = await psp.told(asked.card)
    return {
        "id": f"op_{fresh.word(24)}",
        "type": asked.kind,
        "authorisation": earlier[0]["authorisation"] if earlier else f"auth_{fresh.word(24)}",
        "status": "declined",
        "amount": asked.amount.decimal,
        "currency": asked.amount.currency,
        "reference": await _reference(psp, asked.card),
        "reason": REASON,
    }


async def _reference(psp: Psp, card: str) -> str:
    reference = last_reference(await psp.journal(card))
    if reference is None:
        raise Broken("An operation was left open, and the PSP was not asked for it.")
    return reference


@dataclass(frozen=True, slots=True)
class Shown:
    """What a merchant sees of a payment and of the account that it is on; made by ``of``.

    ``entries`` are kinds and signed amounts in minor units, ``told`` the types of the events of
    the payment and its refunds.
    """

    payment: Payment
    balance: Balance
    entries: tuple[tuple[str, int], ...]
    told: tuple[str, ...]

    @classmethod
    async def of(cls, till: Till, payment: Payment) -> Self:
        """As they are now."""
        merchant = till.merchant
        now = await merchant.payment(payment)
        account = await merchant.account(till.account)
        entries = await merchant.entries(till.account)
        of_what = (now.id, *(refund.id for refund in now.refunds))
        events = [await events_of(merchant, one) for one in of_what]
        return cls(
            now,
            account.balance,
            tuple((entry.kind, entry.amount.amount) for entry in entries),
            tuple(event.type for listed in events for _, event in listed),
        )

    def changed_to(self, now: Shown) -> str:
        """What is otherwise now, in words; empty if nothing is."""
        return "; ".join(self._differences(now))

    def _differences(self, now: Shown) -> Iterator[str]:
        before, after = self.payment, now.payment
        if before.status != after.status:
            yield f"the payment, which was {before.status}, is {after.status}"
        elif before != after:
            yield f"the payment shows {_facts(after)}, and showed {_facts(before)}"
        if self.balance != now.balance:
            yield (
                f"the account has posted, held, available {_figures(now.balance)}, and had"
                f" {_figures(self.balance)} (minor units)"
            )
        if self.entries != now.entries:
            yield f"the account has {len(now.entries)} entries, and had {len(self.entries)}"
        if self.told != now.told:
            yield f"the merchant is told {', '.join(now.told)}, and was {', '.join(self.told)}"


def _facts(payment: Payment) -> str:
    refunds = ", ".join(f"{one.amount.money} {one.status}" for one in payment.refunds)
    return (
        f"{payment.captured.money} captured, {payment.refunded.money} refunded,"
        f" {payment.fee.money} fee, refunds {refunds or 'none'}"
    )


def _figures(balance: Balance) -> str:
    parts = (balance.posted, balance.held, balance.available)
    return ", ".join(str(part.amount) for part in parts)
