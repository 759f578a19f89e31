"""exception-means-paid: an error on the way ends as captured (CWE-390)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checks import contract
from checks.attachment import Psp
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.settings import IMPATIENT_CALLS
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind
from checks.verdicts import Vulnerable

_HINT = (
    "Catch only what you can handle, and let every other error leave the operation as it was:"
    " unknown. Success is what the PSP said in a reply that matches what was asked, and nothing"
    " else."
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """A way in which the PSP does nothing and does not say so in its protocol."""

    title: str
    kind: FaultKind
    options: dict[str, Any]


_FAULTS = (
    _Fault("answers 500", "status_before", {"status": 500}),
    _Fault("answers 202", "status_before", {"status": 202}),
    _Fault("answers 204", "status_before", {"status": 204}),
    _Fault("answers 429", "status_before", {"status": 429, "retry_after": "1"}),
    _Fault("answers 503", "status_before", {"status": 503}),
    _Fault("answers 302", "status_before", {"status": 302}),
    _Fault("answers 400", "status_before", {"status": 400}),
    _Fault("answers 404", "status_before", {"status": 404}),
    _Fault("answers 409", "status_before", {"status": 409}),
    _Fault("answers 422", "status_before", {"status": 422}),
    _Fault("answers 403", "status_before", {"status": 403}),
    _Fault("answers half of a JSON text", "malformed_before", {}),
    _Fault("answers nothing", "malformed_before", {"body": ""}),
    _Fault("answers a page", "malformed_before", {"body": "<html><body>Busy</body></html>"}),
    _Fault("answers an empty object", "malformed_before", {"body": "{}"}),
    _Fault("answers null", "malformed_before", {"body": "null"}),
    _Fault("answers another shape", "malformed_before", {"body": '{"result": {"code": "00"}}'}),
    _Fault("answers with a status that is none", "undone", {}),
    _Fault("drops the connection", "drop_before", {}),
    _Fault("declines", "decline", {}),
)


@check(
    "exception-means-paid",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=IMPATIENT_CALLS,
    competencies=("resilience.outside-calls", "code.debugging"),
)
async def only_success_is_success(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """Whatever goes wrong at the PSP, nothing is captured, refunded or voided unless it says so."""
    till = await Till.open(alice, psp, fresh)
    faults = [fault for fault in _FAULTS for _ in KINDS]
    asked = await till.ask(KINDS * len(_FAULTS))
    attacks = [_Attack(one, fault) for one, fault in zip(asked, faults, strict=True)]
    await all_of(attack.send() for attack in attacks)
    with probe("what the service shows afterwards"):
        payments = await till.payments()
        for attack in attacks:
            attack.judge(attack.asked.among(payments))
        await till.books.agree_entries(Vulnerable, _HINT)


class _Attack:
    """One operation that the PSP spoils without having done anything."""

    def __init__(self, asked: Asked, fault: _Fault) -> None:
        self.asked = asked
        self.fault = fault
        self._told = ""

    async def send(self) -> None:
        """Send it, and look at the answer."""
        with probe(f"the PSP {self.fault.title}: {self.asked.kind}"):
            psp = self.asked.till.psp
            await psp.fault(self.fault.kind, token=self.asked.card, **self.fault.options)
            answer = await self.asked.send()
            self._told = f"{answer} when the PSP {self.fault.title}"
            if await self.asked.charged():
                raise RuntimeError(f"the simulator did a {self.asked.kind} that it was to spoil")
            if self.asked.answers_done(answer):
                raise Vulnerable(
                    f"{self._told}: it says that the {self.asked.kind} was done; it was not.", _HINT
                )

    def judge(self, payment: Payment | None) -> None:
        """The payment does not show as done what the PSP has not done."""
        if payment is not None and self.asked.says_done(payment):
            raise Vulnerable(
                f"{self._told}, and the payment shows {payment.status}: the {self.asked.kind} was"
                " not done.",
                _HINT,
            )
