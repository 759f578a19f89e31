"""psp-no-timeout: a PSP that hangs takes the service's requests along (CWE-1088)."""

from __future__ import annotations

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
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind, Operation
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Give each call of the PSP time-outs for connecting and reading, and all its attempts together"
    " a deadline that also ends a reply which is on its way; then leave the operation unknown, and"
    " answer."
)

#: Seconds after which an answer is not awaited any more, where the deadline is one: far more than a
#: busy machine adds to it.
_PATIENCE = 20.0

#: Seconds between two bytes of a reply: no time-out for reading ends it, and it takes a minute or
#: more.
_PACE = 0.25


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A PSP that takes a request and does not come to an end with it."""

    what: str
    kind: FaultKind
    options: dict[str, Any]


_TROUBLES = (
    _Trouble("never answers", "hang", {"effect": True}),
    _Trouble("answers byte by byte", "trickle", {"seconds": _PACE}),
    _Trouble("answers byte by byte from the first", "trickle", {"seconds": _PACE, "head": True}),
)


@check(
    "psp-no-timeout",
    needs=(*contract.payments, *contract.refunds),
    exclusive=True,
    settings=IMPATIENT_CALLS,
    worker=False,
    competencies=("resilience.outside-calls", "resilience.failures"),
)
async def a_psp_that_hangs_is_given_up(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A request is answered soon after the deadline, whatever the PSP leaves it waiting for."""
    till = await Till.open(alice, psp, fresh)
    cases = [(trouble, kind) for trouble in _TROUBLES for kind in KINDS]
    asked = await till.ask(kind for _, kind in cases)
    await all_of(
        _given_up(psp, one, trouble, kind)
        for one, (trouble, kind) in zip(asked, cases, strict=True)
    )
    await all_of(_look_up_given_up(till, psp, trouble) for trouble in _TROUBLES)


async def _given_up(psp: Psp, asked: Asked, trouble: _Trouble, kind: Operation) -> None:
    """An operation whose outcome the PSP does not come to tell is answered all the same."""
    fault = await psp.fault(trouble.kind, kind, token=asked.card, **trouble.options)
    with probe(f"a {kind} that the PSP takes, and {trouble.what}"):
        answer = await asked.till.merchant.post(
            asked.path, asked.body, key=asked.key, patience=_PATIENCE
        )
        await psp.lift(fault)
        _answered(answer, f"a {kind}", trouble)
        if not ambiguous(answer):
            raise Broken(f"{answer} to a {kind} of which the PSP has told nothing.")


async def _look_up_given_up(till: Till, psp: Psp, trouble: _Trouble) -> None:
    """So is a request to find out, which has nothing to tell then."""
    (asked,) = await till.ask(["sale"])
    dropped = await psp.fault("drop_after", "sale", token=asked.card)
    fault = await psp.fault(trouble.kind, "lookup", token=asked.card, **trouble.options)
    with probe(f"a sync of a sale, whose look-up the PSP takes, and {trouble.what}"):
        await asked.send()
        if (payment := await asked.found()) is not None and payment.status == "unknown":
            path = f"{payment.url}/sync"
            answer = await asked.till.merchant.post(path, {}, patience=_PATIENCE)
            _answered(answer, "a sync", trouble)
    await psp.lift(fault)
    await psp.lift(dropped)


def _answered(answer: Answer, what: str, trouble: _Trouble) -> None:
    if answer.status is None:
        deadline = IMPATIENT_CALLS["PSP_DEADLINE_SECONDS"]
        raise Vulnerable(
            f"{answer} to {what}, while the PSP {trouble.what}; the deadline over all attempts is"
            f" {deadline} s.",
            _HINT,
        )
