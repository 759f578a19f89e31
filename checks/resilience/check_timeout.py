"""psp-timeout-is-failure: no answer from the PSP is taken for a decline, or for a payment (CWE-755)."""

from __future__ import annotations

import asyncio
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
from checks.resilience.cases import MAKERS, Asked
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "A call that was not answered may have been carried out. Keep the operation as unknown, answer 202,"
    " and ask the PSP for it by its key, in sync and in the worker, until it tells."
)

#: Short enough that a PSP which hangs is given up quickly; faults do not open the breaker.
SETTINGS = {
    "PSP_DEADLINE_SECONDS": "1",
    "PSP_MAX_ATTEMPTS": "2",
    "BREAKER_FAILURES": "100000",
}

#: Statuses that say a first operation has failed.
_FAILED = {"declined", "voided", "expired"}

#: What a payment shows once its operation is settled.
_SETTLED = {
    "sale": "captured",
    "authorisation": "authorised",
    "capture": "captured",
    "void": "voided",
    "refund": "partially_refunded",
}

#: Seconds within which what the PSP knows must have been settled by sync; see contract 6.20.
_SETTLING = 10.0


@dataclass(frozen=True, slots=True)
class _Silence:
    """A way for the PSP not to answer. ``done`` says whether it carried the operation out."""

    title: str
    kind: FaultKind
    done: bool
    options: dict[str, Any]


_SILENCES = (
    _Silence("hangs, having done it", "hang", True, {"effect": True}),
    _Silence("hangs, having done nothing", "hang", False, {}),
    _Silence("does it and drops the reply", "drop_after", True, {}),
    _Silence("drops the connection", "drop_before", False, {}),
)

_FAILURES = (
    _Silence("does it and answers 500", "status_after", True, {"status": 500}),
    _Silence("does it and answers 504", "status_after", True, {"status": 504}),
    _Silence("does it and answers nonsense", "malformed_after", True, {}),
    _Silence("answers 502", "status_before", False, {"status": 502}),
)


@check(
    "psp-timeout-is-failure",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=SETTINGS,
    competencies=("resilience.outside-calls",),
)
async def no_answer_is_neither_paid_nor_declined(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A payment whose outcome the PSP did not tell is unknown, until the PSP tells."""
    jobs = []
    for silence in (*_SILENCES, *_FAILURES):
        for kind in MAKERS:
            asked = await MAKERS[kind](alice, psp, fresh, kind)
            jobs.append(_attack(asked, silence, told=silence in _FAILURES))
    await all_of(jobs)


async def _attack(asked: Asked, silence: _Silence, *, told: bool) -> None:
    with probe(f"the PSP {silence.title}: {asked.kind}"):
        fault = await asked.psp.fault(silence.kind, token=asked.card, **silence.options)
        answer = await asked.send()
        await _open(asked, answer, told=told)
        await asked.psp.lift(fault)
        await _settles(asked, silence, answer)


async def _open(asked: Asked, answer: Answer, *, told: bool) -> None:
    """While the PSP is silent nothing may be said to have failed, nor to have been paid."""
    payment = await asked.found()
    state = "no payment" if payment is None else payment.status
    what = f"{answer} when the PSP's answer was missing, and the payment shows {state}"
    if answer.status == 402:
        raise Vulnerable(f"{what}: no answer was taken for a decline.", _HINT)
    if payment is not None:
        if asked.payment is None and payment.status in _FAILED:
            raise Vulnerable(f"{what}: no answer was taken for a decline.", _HINT)
        if any(refund.status == "failed" for refund in payment.refunds):
            raise Vulnerable(f"{what} with a failed refund: no answer was taken for one.", _HINT)
        if not told and _says_done(asked, payment):
            raise Vulnerable(f"{what}: no answer was taken for success.", _HINT)
    if answer.status in {200, 201} and not told:
        raise Vulnerable(f"{what}: no answer was taken for success.", _HINT)
    if not ambiguous(answer) and not answer.ok:
        raise Broken(f"{what}; the contract asks for 202, 502 or 504.", _HINT)


def _says_done(asked: Asked, payment: Payment) -> bool:
    """Whether the payment shows its operation as carried out."""
    if asked.kind == "refund":
        return any(refund.status == "succeeded" for refund in payment.refunds)
    return payment.status == _SETTLED[asked.kind]


async def _settles(asked: Asked, silence: _Silence, first: Answer) -> None:
    """Once the PSP answers, sync and the same key bring the payment to what the PSP has done."""
    deadline = asyncio.get_running_loop().time() + _SETTLING
    while True:
        payment = await asked.found()
        if payment is not None:
            payment = await asked.merchant.sync(payment)
        retried = await asked.send()
        charged = await asked.charged()
        payment = await asked.found()
        if charged > 1:
            raise Vulnerable(f"The PSP carried out one {asked.kind} {charged} times.", _HINT)
        if payment is not None and _says_done(asked, payment):
            break
        if payment is not None and _failed(asked, payment):
            raise Vulnerable(
                f"{first}; then the PSP answered, and the payment shows {payment.status}. Nobody"
                " declined it.",
                _HINT,
            )
        if not charged:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Vulnerable(
                f"{first} when the PSP {silence.title}. Since then it answers again, but after sync"
                f" and a retry ({retried}) the payment still shows"
                f" {'nothing' if payment is None else payment.status}: what it charged is lost.",
                _HINT,
            )
        await asyncio.sleep(0.1)
    if not charged:
        raise Vulnerable(f"The payment shows {payment.status}; the PSP has done nothing.", _HINT)
    asked.settled()
    await asked.books.agree(Vulnerable, _HINT)


def _failed(asked: Asked, payment: Payment) -> bool:
    if asked.kind == "refund":
        return any(refund.status == "failed" for refund in payment.refunds)
    return payment.status in _FAILED and payment.status != _SETTLED[asked.kind]
