"""exception-means-paid: an error on the way ends as captured (CWE-390)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checks import contract
from checks.attachment import Psp
from checks.client import Answer
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import MAKERS, Asked
from checks.resilience.check_timeout import SETTINGS
from checks.shapes import Payment, Refund
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind
from checks.verdicts import Vulnerable

_HINT = (
    "Catch only what you can handle, and let every other error leave the operation as it was: unknown."
    " Success is what the PSP said in a reply that matches what was asked, and nothing else."
)

#: What a payment shows when its operation has been carried out.
_DONE = {
    "sale": {"captured", "partially_refunded", "refunded"},
    "authorisation": {"authorised", "captured"},
    "capture": {"captured", "partially_refunded", "refunded"},
    "void": {"voided"},
    "refund": {"partially_refunded", "refunded"},
}


@dataclass(frozen=True, slots=True)
class _Fault:
    """A way in which the PSP does nothing and does not say so in its protocol."""

    title: str
    kind: FaultKind
    options: dict[str, Any]


_FAULTS = (
    _Fault("answers 500", "status_before", {"status": 500}),
    _Fault("answers 503", "status_before", {"status": 503}),
    _Fault("answers 429", "status_before", {"status": 429, "retry_after": "1"}),
    _Fault("answers 400", "status_before", {"status": 400}),
    _Fault("answers 422", "status_before", {"status": 422}),
    _Fault("answers 403", "status_before", {"status": 403}),
    _Fault("answers 302", "status_before", {"status": 302}),
    _Fault("answers half of a JSON text", "malformed_before", {}),
    _Fault("answers nothing", "malformed_before", {"body": ""}),
    _Fault("answers a page", "malformed_before", {"body": "<html><body>Busy</body></html>"}),
    _Fault("answers a list", "malformed_before", {"body": "[]"}),
    _Fault("answers an empty object", "malformed_before", {"body": "{}"}),
    _Fault("answers null", "malformed_before", {"body": "null"}),
    _Fault("answers a number", "malformed_before", {"body": "200"}),
    _Fault("answers another shape", "malformed_before", {"body": '{"result": {"code": "00"}}'}),
    _Fault("drops the connection", "drop_before", {}),
    _Fault("declines", "decline", {}),
)


@check(
    "exception-means-paid",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=SETTINGS,
    competencies=("resilience.outside-calls", "code.debugging"),
)
async def only_success_is_success(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """Whatever goes wrong at the PSP, nothing is captured, refunded or voided unless it says so."""
    jobs = []
    for fault in _FAULTS:
        for kind in MAKERS:
            asked = await MAKERS[kind](alice, psp, fresh, kind)
            jobs.append(_attack(asked, fault))
    await all_of(jobs)


async def _attack(asked: Asked, fault: _Fault) -> None:
    with probe(f"the PSP {fault.title}: {asked.kind}"):
        scripted = await asked.psp.fault(fault.kind, token=asked.card, **fault.options)
        answer = await asked.send()
        payment = await asked.found()
        charged = await asked.charged()
        told = f"{answer} when the PSP {fault.title}"
        if charged:
            raise AssertionError(f"the simulator carried out a {asked.kind} that it was to spoil")
        if payment is not None and _done(asked, payment):
            raise Vulnerable(
                f"{told}, and the payment shows {payment.status}; the PSP has done nothing.", _HINT
            )
        if _claims(asked, answer):
            raise Vulnerable(f"{told}: it says the {asked.kind} was done; it was not.", _HINT)
        await _nothing_posted(asked, told)
        await asked.psp.lift(scripted)


def _done(asked: Asked, payment: Payment) -> bool:
    if asked.kind == "refund" and any(one.status == "succeeded" for one in payment.refunds):
        return True
    return payment.status in _DONE[asked.kind]


def _claims(asked: Asked, answer: Answer) -> bool:
    """Whether a 200 or 201 says that the operation was carried out."""
    if answer.status not in {200, 201}:
        return False
    if asked.kind == "refund":
        return answer.read(Refund).status == "succeeded"
    return answer.read(Payment).status in _DONE[asked.kind]


async def _nothing_posted(asked: Asked, told: str) -> None:
    """Nothing stands in the ledger; a refund's amount may be held."""
    account = await asked.merchant.account(asked.account)
    entries = await asked.merchant.entries(asked.account)
    kind = "capture" if asked.kind in {"sale", "capture", "authorisation"} else asked.kind
    found = [entry for entry in entries if entry.kind == kind]
    if found:
        raise Vulnerable(
            f"{told}, and {found[0].amount.money} was posted as {kind}: posted is now"
            f" {account.balance.posted.money}.",
            _HINT,
        )
