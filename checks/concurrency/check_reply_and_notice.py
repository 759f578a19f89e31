"""reply-webhook-double-credit: the PSP's reply and its notice both take effect (CWE-837)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from checks import contract, payouts
from checks.amounts import Money, fee
from checks.attachment import Testbed
from checks.client import Answer
from checks.contest import Contest, Prepare, View, reading
from checks.expectations import ambiguous
from checks.explorer import Figures
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.interleaving import Send
from checks.judging import Judge
from checks.lining_up import contend, line_up
from checks.losers import carried_out
from checks.news import News, Shown, latest, lift, under_way, untold
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.settings import ONE_ATTEMPT
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Whoever brings the end of an operation, let the database admit one: look at its state under a"
    " lock that all of them take, or end it by an UPDATE on condition that it is open, and look at"
    " the row count. What was read before the lock says nothing."
)

#: Where it is charged that a notice has to wait for what a request holds.
_HELD = ("resilience/nothing_is_held_during_an_outside_call",)


#: What an operation makes of its payment, and what is told of it then.
_ENDS = {
    "capture": ("captured", "payment.captured"),
    "refund": ("partially_refunded", "refund.succeeded"),
}

#: A refund gives back one part in so many of its capture.
_PART = 4

_Kind = Literal["capture", "refund"]


@dataclass(frozen=True, slots=True)
class _Unclear:
    """An operation that the PSP has done and not answered for, and that can be asked about now.

    ``waits`` is held on the account for something else, in minor units: what is let go of twice is
    taken from it, and shows.
    """

    news: News
    testbed: Testbed
    waits: int = 0

    @classmethod
    async def make(cls, alice: Merchant, testbed: Testbed, amount: Money, kind: _Kind) -> _Unclear:
        """On an account of its own; a refund gives back a part of that amount."""
        till, card, waits = await Till.open(alice, testbed.psp, alice.fresh), alice.fresh.card(), 0
        payment = await alice.pay(amount, till.account, capture=kind == "refund", card=card)
        path, body = f"{payment.url}/capture", {}
        if kind == "refund":
            till.books.capture(till.account, amount)
            await payouts.make(alice, alice.fresh, till.account, amount, alice.fresh.payee())
            till.books.hold(till.account, amount)
            waits, amount = amount.amount, Money(amount.amount // _PART, amount.currency)
            path, body = f"{payment.url}/refunds", {"amount": amount.json()}
        asked = Asked(till, kind, card, amount, path, body, alice.fresh.key(), payment.id)
        news = await untold(asked, declined=False)
        await lift([news])
        return cls(news, testbed, waits)

    @property
    def till(self) -> Till:
        """The account and its books."""
        return self.news.asked.till

    @property
    def moves(self) -> int:
        """By how much it changes what is posted on the account, in minor units."""
        amount = self.news.asked.amount
        return (
            (amount - fee(amount)).amount if self.news.asked.kind == "capture" else -amount.amount
        )

    def requests(self) -> list[Send]:
        """A look-up, whose reply tells of it, and notices."""
        return [self._sync, self._notice, self._notice]

    async def _sync(self, replica: int) -> Answer:
        """It does not matter how far it shows the payment: another may be at it (6.20)."""
        path = f"{self.news.payment.url}/sync"
        answer = await self.till.merchant.post(path, {}, replica=replica)
        return replace(answer, content=b"{}") if answer.ok else answer

    async def _notice(self, replica: int) -> Answer:
        return await self.news.bring(self.testbed, replica)

    async def view(self) -> View:
        """What the API shows of payment and account."""
        shown = await Shown.of(self.till, self.news.payment)
        return {
            "status": shown.payment.status,
            "captured": shown.payment.captured.model_dump(),
            "refunded": shown.payment.refunded.model_dump(),
            "balance": shown.balance.model_dump(),
            "entries": shown.entries,
            "told": shown.told,
        }

    def verify(self, answers: Sequence[Answer], shown: View) -> None:
        """It was carried out, posted and told once."""
        what, amount = self.news.asked.kind, self.news.asked.amount
        status, told = _ENDS[what]
        made = [by for kind, by in shown["entries"] if kind == what]
        total = sum(by for _, by in shown["entries"])
        posted, held = (shown["balance"][name]["amount"] for name in ("posted", "held"))
        times = shown["told"].count(told)
        if len(made) > 1 or times > 1 or posted != total or held < self.waits:
            raise Vulnerable(
                f"The reply to a look-up and notices told of one {what} of {amount} at once: the"
                f" account has {len(made)} entries of it and shows {posted} posted (minor units),"
                f" its entries come to {total}; {held} are held, {self.waits} of them for something"
                f" else; and the merchant is told of it {times} times.",
                _HINT,
            )
        for answer in answers:
            if not answer.ok:
                raise Broken(f"{answer}, about a {what} that the PSP has done.")
        if shown["status"] != status or made != [self.moves]:
            raise Broken(f"A {what} of {amount} was told, and came out as {shown}.")

    async def agree(self, _: Sequence[Answer]) -> None:
        """The harness's own books say the same."""
        self.news.asked.settled()
        await self.till.books.agree(Vulnerable, _HINT)


def _telling(alice: Merchant, testbed: Testbed, fresh: Fresh, kind: _Kind) -> Prepare:
    """Contests in which a look-up and notices tell of one operation at once."""
    amount = fresh.money(10_000, 90_000)

    async def prepare(count: int) -> Contest:
        unclear = await _Unclear.make(alice, testbed, amount, kind)
        read = reading(alice, unclear.till.account)
        requests = unclear.requests()[:count]
        return Contest(requests, unclear.view, unclear.verify, unclear.agree, read)

    return prepare


@check(
    "reply-webhook-double-credit",
    needs=(*contract.payments, *contract.events, "contract/a_notice_settles_a_payment"),
    exclusive=True,
    settings=ONE_ATTEMPT,
    long=True,
    competencies=("db.locking", "distributed.idempotency"),
)
async def a_look_up_and_a_notice_credit_once(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """However the PSP's reply and its notices meet, what they tell takes effect once."""
    prepare = _telling(alice, testbed, fresh, "capture")
    await contend(testbed, prepare, "look-up or notice", Judge(_HINT))


@check(
    "reply-webhook-double-credit",
    needs=(
        *contract.refunds,
        *contract.payouts,
        *contract.events,
        "contract/a_notice_settles_a_payment",
    ),
    exclusive=True,
    settings=ONE_ATTEMPT,
    competencies=("db.locking", "distributed.idempotency"),
)
async def a_look_up_and_a_notice_refund_once(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Nor is a refund debited twice, or what is held for it let go of twice.

    At the gates of all tables alone: the steps between them are explored with captures.
    """
    prepare = _telling(alice, testbed, fresh, "refund")
    await line_up(testbed, prepare, "look-up or notice", Figures(opaque=True))


@check(
    "reply-webhook-double-credit",
    needs=(
        *contract.payments,
        *contract.voids,
        *contract.refunds,
        *contract.events,
        "contract/a_notice_settles_a_payment",
    ),
    competencies=("db.transactions", "distributed.idempotency"),
)
async def a_reply_after_its_notice_changes_nothing(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """What a notice has settled while the PSP was asked, its late reply leaves as it is."""
    till = await Till.open(alice, testbed.psp, fresh)
    asked = await till.ask(KINDS)
    await all_of((_outrun(testbed, one) for one in asked), at_once=1)


async def _outrun(testbed: Testbed, asked: Asked) -> None:
    """The PSP does it, gives notice, and replies only then."""
    till, psp = asked.till, testbed.psp
    operations: tuple[Any, ...] = (asked.kind,)
    fault = await psp.fault("hold", *operations, token=asked.card, effect=True)
    asking = asyncio.create_task(asked.send())
    try:
        with probe(f"the notice of a {asked.kind}, and then the reply to it"):
            news = News(asked, await under_way(asked), await latest(asked))
            told = await carried_out(partial(news.bring, testbed))
            if told.status != 204:
                raise Broken(f"{told}, while the PSP has not replied yet.", unless=_HELD)
            settled = await Shown.of(till, news.payment)
            if not news.taken_in(settled.payment):
                raise Broken(f"{told}, and the payment is {settled.payment.status}.", unless=_HELD)
            await psp.lift(fault)
            answer = await asking
            changes = settled.changed_to(await Shown.of(till, news.payment))
            if changes:
                raise Vulnerable(
                    f"{answer} to a {asked.kind} of {asked.amount}, which a notice had told of"
                    f" before the PSP replied: {changes}.",
                    _HINT,
                )
            if not (asked.answers_done(answer) or ambiguous(answer)):
                raise Broken(f"{answer} to a {asked.kind} that the PSP has done.")
    finally:
        await psp.lift(fault)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
