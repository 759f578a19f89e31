"""psp-reply-trusted: what the PSP says is believed, whatever it is about (CWE-345)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.expectations import ambiguous, expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.notices import bring, psp_notice
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind
from checks.verdicts import Broken, NotReached, Vulnerable

_HINT = (
    "Believe a reply, a look-up or a notice only if its type, reference, authorisation, amount and"
    " currency are those of the attempt that is stored; leave the operation unknown otherwise."
)

#: Seconds within which what the PSP then tells truly must have been settled (contract 6.20).
_SETTLING = 10.0

#: Where a PSP that says nothing, or nonsense, is charged if that is taken for an answer.
_DECLINED = "resilience/no_answer_is_neither_paid_nor_declined"
_PAID = "resilience/only_success_is_success"

#: How an operation is told otherwise than it was asked for.
Way = Literal["replies", "answers the look-up", "gives notice"]


@dataclass(frozen=True, slots=True)
class _Lie:
    """What the PSP says of an operation that it has carried out as it was asked to.

    ``members`` are those that it tells otherwise, of an operation of some amount.
    """

    title: str
    kind: FaultKind
    members: Callable[[Money], dict[str, str]]
    kinds: tuple[str, ...] = KINDS
    ways: tuple[Way, ...] = ("replies",)

    def options(self, amount: Money) -> dict[str, Any]:
        """The fault's."""
        told = self.members(amount)
        return {"member": next(iter(told))} if self.kind == "wrong_id" else told


_EVERYWHERE: tuple[Way, ...] = ("replies", "answers the look-up", "gives notice")

_LIES = (
    _Lie(
        "a penny more",
        "wrong_amount",
        lambda asked: {"amount": Money(asked.amount + 1, asked.currency).decimal},
        ways=_EVERYWHERE,
    ),
    _Lie(
        "half of it",
        "wrong_amount",
        lambda asked: {"amount": Money(asked.amount // 2, asked.currency).decimal},
    ),
    _Lie(
        "its digits without the point",
        "wrong_amount",
        lambda asked: {"amount": asked.decimal.replace(".", "")},
    ),
    _Lie("another currency", "wrong_currency", lambda _: {"currency": "EUR"}, ways=_EVERYWHERE),
    _Lie("another reference", "wrong_id", lambda _: {"reference": ""}),
    _Lie("another type", "wrong_id", lambda _: {"type": ""}),
    _Lie(
        "another authorisation",
        "wrong_id",
        lambda _: {"authorisation": ""},
        kinds=("capture", "void", "refund"),
    ),
)

#: No lie: it shows what the service makes of a reply that says nothing.
_NONSENSE = _Lie("nonsense", "malformed_after", lambda _: {})


@check(
    "psp-reply-trusted",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    competencies=("resilience.outside-calls",),
)
async def only_what_was_asked_for_is_believed(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """What the PSP says of another amount, currency or operation settles nothing."""
    till = await Till.open(alice, testbed.psp, fresh)
    lies = (*_LIES, _NONSENSE)
    planned = [(lie, way, kind) for lie in lies for way in lie.ways for kind in lie.kinds]
    asked = await till.ask(kind for _, _, kind in planned)
    attacks = [
        _Attack(testbed, one, lie, way) for one, (lie, way, _) in zip(asked, planned, strict=True)
    ]
    try:
        await all_of((attack.send() for attack in attacks), at_once=8)
        with probe("what the service shows"):
            payments = await till.payments()
            taken = {one.asked.kind: one.taken_for for one in attacks if one.taken_for}
            driven = [
                one for one in attacks if one.lie is not _NONSENSE and one.asked.kind not in taken
            ]
            for attack in driven:
                attack.judge(attack.asked.among(payments))
            for attack in driven:
                attack.left_open()
    finally:
        for attack in attacks:
            await attack.lift()
    if taken:
        raise NotReached(
            f"What the PSP did not tell ({', '.join(sorted(taken))}) is taken for an answer.",
            next(iter(taken.values())),
        )
    await all_of((attack.settle(attack.asked.among(payments)) for attack in driven), at_once=8)


@dataclass(slots=True)
class _Attack:
    """One operation that the PSP carries out, and tells otherwise."""

    testbed: Testbed
    asked: Asked
    lie: _Lie
    way: Way
    answer: Answer | None = None
    _notice: Answer | None = None
    _faults: list[str] = field(default_factory=list)

    @property
    def _psp(self) -> Psp:
        return self.testbed.psp

    def __str__(self) -> str:
        told = " ".join(one for one in self.lie.members(self.asked.amount).values() if one)
        return (
            f"{self.answer} to a {self.asked.kind} of {self.asked.amount}, of which the PSP"
            f" {self.way} with {self.lie.title}{f': {told}' if told else ''}"
        )

    async def send(self) -> None:
        """Send it, and have the PSP tell of it."""
        with probe(f"a {self.asked.kind}: the PSP {self.way} with {self.lie.title}"):
            if self.way == "replies":
                await self._fault(self.lie.kind, **self.lie.options(self.asked.amount))
            else:
                await self._fault("drop_after", self.asked.kind)
            if self.way == "answers the look-up":
                await self._fault(self.lie.kind, "lookup", **self.lie.options(self.asked.amount))
            if self.way == "gives notice":
                await self._fault("drop_before", "lookup")
            self.answer = await self.asked.send()
            if not await self.asked.charged():
                raise Broken(f"{self.answer}, and the PSP was not asked for the {self.asked.kind}.")
            if self.way == "answers the look-up":
                payment = await self.asked.found()
                if payment is not None:
                    await self.asked.till.merchant.sync(payment)
            if self.way == "gives notice":
                await self._bring()

    async def _fault(self, kind: FaultKind, *operations: Any, **options: Any) -> None:
        fault = await self._psp.fault(kind, *operations, token=self.asked.card, **options)
        self._faults.append(fault)

    async def _bring(self) -> None:
        told = (await self._psp.told(self.asked.card))[-1]
        altered = told | self.lie.members(self.asked.amount)
        merchant = self.asked.till.merchant
        notice = psp_notice(altered, merchant.fresh)
        self._notice = await bring("psp", notice, self.testbed, merchant.platform)

    @property
    def _answered(self) -> Answer:
        if self.answer is None:
            raise RuntimeError("not sent yet")
        return self.answer

    @property
    def taken_for(self) -> str:
        """The check that is charged if the client was told an end that the PSP had not told.

        It had told none if it replied with nonsense, or not at all and tells of it later.
        """
        if self.lie is not _NONSENSE and self.way == "replies":
            return ""
        if self._answered.status == 402:
            return _DECLINED
        return _PAID if self.asked.answers_done(self._answered) else ""

    def judge(self, payment: Payment | None) -> None:
        """Nothing is settled by it, neither as done nor as declined."""
        answer = self._answered
        shown = "no payment" if payment is None else payment.status
        if self.asked.answers_done(answer) or (payment and self.asked.says_done(payment)):
            raise Vulnerable(f"{self}: it was believed, and the payment shows {shown}.", _HINT)
        if answer.status == 402 or (payment and self.asked.says_failed(payment)):
            raise Vulnerable(
                f"{self}: it was taken for a decline, and the payment shows {shown}. The PSP has"
                f" carried the {self.asked.kind} out.",
                _HINT,
            )

    def left_open(self) -> None:
        """It is answered as what nobody knows, and a notice that does not match is refused."""
        if not ambiguous(self._answered):
            raise Broken(f"{self}; the contract asks for 202, 502 or 504.", _HINT)
        if self._notice is not None:
            expect_problem(self._notice, 422, code="notice_mismatch")

    async def lift(self) -> None:
        """Have the PSP tell the truth from now on."""
        while self._faults:
            await self._psp.lift(self._faults.pop())

    async def settle(self, payment: Payment | None) -> None:
        """Asked again, the PSP tells what it has done, and that is believed."""
        with probe(f"a {self.asked.kind}: the PSP tells what it has done") as attempt:
            deadline = asyncio.get_running_loop().time() + _SETTLING
            payment = payment or await self.asked.found()
            if payment is None:
                raise Broken(f"{self}, and the payment is not listed.")
            while not self.asked.says_done(await self.asked.till.merchant.sync(payment)):
                if asyncio.get_running_loop().time() > deadline:
                    raise Broken(f"{self}. It tells the truth now, and sync leaves it as it was.")
                attempt.note("Not settled yet.")
                await asyncio.sleep(0.2)
