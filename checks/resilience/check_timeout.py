"""psp-timeout-is-failure: silence is taken for a decline, or for a payment (CWE-755)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checks import contract
from checks.attachment import Psp
from checks.client import Answer
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.settings import IMPATIENT_CALLS
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "A call that was not answered may have been carried out. Keep the operation as unknown,"
    " answer 202, and ask the PSP for it by its key, in sync and in the worker, until it tells."
)

#: Seconds within which what the PSP knows must have been settled by sync; see contract 6.20.
_SETTLING = 10.0


@dataclass(frozen=True, slots=True)
class _Silence:
    """A way for the PSP not to answer. ``done`` says whether it carried the operation out.

    ``then`` is the status with which it answers whoever asks again.
    """

    title: str
    kind: FaultKind
    done: bool
    options: dict[str, Any]
    then: int | None = None


_SILENCES = (
    _Silence("hangs, having done it", "hang", True, {"effect": True}),
    _Silence("hangs, having done nothing", "hang", False, {}),
    _Silence("does it and drops the reply", "drop_after", True, {}),
    _Silence("drops the connection", "drop_before", False, {}),
    _Silence(
        "does it and drops the reply, then answers 429", "drop_after", True, {"times": 1}, 429
    ),
)

_SILENCES_TOLD = (
    _Silence("does it and answers 500", "status_after", True, {"status": 500}),
    _Silence("does it and answers 503", "status_after", True, {"status": 503, "retry_after": "1"}),
    _Silence("does it and answers nonsense", "malformed_after", True, {}),
)


@check(
    "psp-timeout-is-failure",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=IMPATIENT_CALLS,
    competencies=("resilience.outside-calls",),
)
async def no_answer_is_neither_paid_nor_declined(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A payment whose outcome the PSP did not tell is unknown, until the PSP tells."""
    till = await Till.open(alice, psp, fresh)
    silences = [silence for silence in (*_SILENCES, *_SILENCES_TOLD) for _ in KINDS]
    asked = await till.ask(KINDS * (len(_SILENCES) + len(_SILENCES_TOLD)))
    attacks = [
        _Attack(one, silence, told=silence in _SILENCES_TOLD)
        for one, silence in zip(asked, silences, strict=True)
    ]
    await all_of(attack.send() for attack in attacks)
    with probe("what the service shows while the PSP is silent"):
        payments = await till.payments()
        for attack in sorted(attacks, key=lambda one: one.told):
            attack.judge(attack.asked.among(payments))
            attack.payment = attack.asked.among(payments)
    await psp.lift()
    await all_of(attack.settle() for attack in attacks)
    with probe("the books, when all is settled"):
        await _balance(till, attacks)


async def _balance(till: Till, attacks: Sequence[_Attack]) -> None:
    """The books agree with what the payments show.

    A service may go on settling of its own accord meanwhile: it is read again, for a time.
    """
    deadline = asyncio.get_running_loop().time() + _SETTLING
    for attack in attacks:
        attack.hold()
    while True:
        payments = await till.payments()
        for attack in attacks:
            attack.book(attack.asked.among(payments))
        try:
            return await till.books.agree(Vulnerable, _HINT)
        except Vulnerable:
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.2)


class _Attack:
    """One operation that the PSP leaves without an answer, and later tells about."""

    def __init__(self, asked: Asked, silence: _Silence, *, told: bool) -> None:
        self.asked = asked
        self.silence = silence
        self.told = told
        self.payment: Payment | None = None
        self._booked = False
        self._answer: Answer | None = None
        self._charged = 1

    @property
    def answer(self) -> Answer:
        """What the service answered while the PSP was silent."""
        if self._answer is None:
            raise RuntimeError("not sent yet")
        return self._answer

    async def send(self) -> None:
        """Send it while the PSP is silent."""
        with probe(f"the PSP {self.silence.title}: {self.asked.kind}"):
            psp = self.asked.till.psp
            await psp.fault(self.silence.kind, token=self.asked.card, **self.silence.options)
            if self.silence.then is not None:
                then = {"status": self.silence.then, "retry_after": "1"}
                await psp.fault("status_before", token=self.asked.card, **then)
            self._answer = await self.asked.send()
            # What its retries came to is another check's matter.
            self._charged = max(await self.asked.charged(), 1)

    def judge(self, payment: Payment | None) -> None:
        """While the PSP is silent nothing may be said to have failed, nor to have been paid."""
        state = "no payment" if payment is None else payment.status
        what = (
            f"{self.answer} when the PSP {self.silence.title} ({self.asked.kind}), and the payment"
            f" shows {state}"
        )
        failed = payment is not None and self.asked.says_failed(payment)
        if self.answer.status == 402 or failed:
            raise Vulnerable(f"{what}: a missing answer was taken for a decline.", _HINT)
        done = payment is not None and self.asked.says_done(payment)
        if not self.told and (done or self.asked.answers_done(self.answer)):
            raise Vulnerable(f"{what}: a missing answer was taken for success.", _HINT)
        if self.answer.status == 503 and self.silence.done:
            raise Vulnerable(f"{what}: it says that nothing was done, and the PSP did it.", _HINT)
        if not ambiguous(self.answer) and not self.answer.ok:
            raise Broken(f"{what}; the contract asks for 202, 502 or 504.", _HINT)

    async def settle(self) -> None:
        """Sync and the same key bring the payment to what the PSP has done."""
        with probe(f"the PSP answers again: {self.asked.kind}, after it {self.silence.title}"):
            deadline = asyncio.get_running_loop().time() + _SETTLING
            while not await self._settled():
                if asyncio.get_running_loop().time() > deadline:
                    raise Vulnerable(
                        f"{self.answer} when the PSP {self.silence.title}. It answers again, but"
                        f" sync and a retry leave the {self.asked.kind} as it was: what the PSP"
                        " carried out is lost.",
                        _HINT,
                    )
                await asyncio.sleep(0.1)

    async def _settled(self) -> bool:
        """Ask for it, and compare with what the PSP has done; gives whether they agree."""
        retried = await self.asked.send()
        payment = self.payment or await self.asked.found()
        if payment is not None:
            payment = await self.asked.till.merchant.sync(payment)
        charged = await self.asked.charged()
        shown = "nothing" if payment is None else payment.status
        if charged > self._charged:
            raise Vulnerable(f"The PSP carried out one {self.asked.kind} {charged} times.", _HINT)
        if retried.status == 402 or (payment is not None and self.asked.says_failed(payment)):
            raise Vulnerable(
                f"{self.answer}; then the PSP answered again, a retry got {retried.status} and the"
                f" payment shows {shown}. Nobody declined it.",
                _HINT,
            )
        done = payment is not None and self.asked.says_done(payment)
        if done and not charged:
            raise Vulnerable(f"The payment shows {shown}; the PSP has done nothing.", _HINT)
        return done or not charged

    def hold(self) -> None:
        """Note in the books that its money is reserved, until it is done."""
        if self.asked.kind == "refund":
            self.asked.till.books.hold(self.asked.till.account, self.asked.amount)

    def book(self, payment: Payment | None) -> None:
        """Note in the books that it is done, once the payment shows so."""
        if self._booked or payment is None or not self.asked.says_done(payment):
            return
        self._booked = True
        if self.asked.kind == "refund":
            self.asked.till.books.release(self.asked.till.account, self.asked.amount)
        self.asked.settled()
