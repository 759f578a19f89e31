"""reply-webhook-double-credit: the PSP's reply and its notice both take effect (CWE-837)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from checks import contract
from checks.amounts import Money, fee
from checks.attachment import Testbed
from checks.client import Answer
from checks.contest import Contest, View, reading
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.interleaving import Send
from checks.judging import Judge
from checks.lining_up import contend
from checks.losers import SETTLED, carried_out
from checks.news import News, Shown, latest, lift, untold
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.settings import ONE_ATTEMPT
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Whoever brings the end of an operation, let the database admit one: look at its state under a"
    " lock that all of them take, or end it by an UPDATE on condition that it is open, and look at"
    " the row count. What was read before the lock says nothing."
)

_PAUSE = 0.05

#: Where it is charged that a notice has to wait for what a request holds.
_HELD = ("resilience/nothing_is_held_during_an_outside_call",)


@dataclass(frozen=True, slots=True)
class _Unclear:
    """A capture that the PSP has done and not answered for, and that can be asked about now."""

    news: News
    testbed: Testbed

    @classmethod
    async def make(cls, alice: Merchant, testbed: Testbed, amount: Money) -> _Unclear:
        """On an account of its own."""
        till = await Till.open(alice, testbed.psp, alice.fresh)
        card = alice.fresh.card()
        payment = await alice.pay(amount, till.account, capture=False, card=card)
        path, key = f"{payment.url}/capture", alice.fresh.key()
        asked = Asked(till, "capture", card, amount, path, {}, key, payment.id)
        news = await untold(asked, declined=False)
        await lift([news])
        return cls(news, testbed)

    @property
    def till(self) -> Till:
        """The account and its books."""
        return self.news.asked.till

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
            "balance": shown.balance.model_dump(),
            "entries": shown.entries,
            "told": shown.told,
        }

    def verify(self, answers: Sequence[Answer], shown: View) -> None:
        """It was captured, credited and told once."""
        amount = self.news.asked.amount
        credited = [by for kind, by in shown["entries"] if kind == "capture"]
        posted = shown["balance"]["posted"]["amount"]
        times = shown["told"].count("payment.captured")
        if len(credited) > 1 or times > 1 or posted != sum(by for _, by in shown["entries"]):
            raise Vulnerable(
                f"The reply to a look-up and notices told of one capture of {amount} at once: the"
                f" account has {len(credited)} entries of it and shows {posted} posted (minor"
                f" units), its entries come to {sum(by for _, by in shown['entries'])}, and the"
                f" merchant is told of it {times} times.",
                _HINT,
            )
        for answer in answers:
            if not answer.ok:
                raise Broken(f"{answer}, about a capture that the PSP has done.")
        if shown["status"] != "captured" or credited != [(amount - fee(amount)).amount]:
            raise Broken(f"A capture of {amount} was told, and came out as {shown}.")

    async def agree(self, _: Sequence[Answer]) -> None:
        """The harness's own books say the same."""
        books = self.till.books
        books.capture(self.till.account, self.news.asked.amount)
        await books.agree(Vulnerable, _HINT)


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
    amount = fresh.money(10_000, 90_000)

    async def prepare(count: int) -> Contest:
        unclear = await _Unclear.make(alice, testbed, amount)
        read = reading(alice, unclear.till.account)
        requests = unclear.requests()[:count]
        return Contest(requests, unclear.view, unclear.verify, unclear.agree, read)

    await contend(testbed, prepare, "look-up or notice", Judge(_HINT))


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
            news = News(asked, await _under_way(testbed, asked), await latest(asked))
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


async def _under_way(testbed: Testbed, asked: Asked) -> Payment:
    """The payment, as soon as the PSP is at the operation."""
    deadline = asyncio.get_running_loop().time() + SETTLED
    while not await testbed.psp.under_way(asked.card):
        if asyncio.get_running_loop().time() > deadline:
            raise Broken(f"{SETTLED:g} s after a {asked.kind} was sent, the PSP has not heard.")
        await asyncio.sleep(_PAUSE)
    payment = await asked.found()
    if payment is None:
        raise Broken(f"A {asked.kind} is under way, and its payment is not listed.")
    return payment
