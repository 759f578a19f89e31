"""breaker-counts-declines: declines open the circuit, or faults never do (CWE-754)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from checks import contract
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import busy, carried_out
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import Asked, Till
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind
from checks.verdicts import Broken, Decision, Inconclusive, NotReached, Vulnerable

_HINT = (
    "Classify how an exchange ended: a time-out, a dropped reply, a 5xx and nonsense are faults;"
    " a decline or a definite refusal is an answer of a PSP that works, and ends a row of faults."
)

#: The default of BREAKER_FAILURES (contract 6.23).
_FAILURES = 5

#: A circuit that stays open for as long as is looked at it; retries count too (contract 6.23).
_RETRIED = {
    "BREAKER_RESET_SECONDS": "60",
    "CLAIM_LEASE_SECONDS": "30",
    "RECONCILE_INTERVAL_SECONDS": "60",
}

#: One exchange for each operation.
_SETTINGS = {**_RETRIED, "PSP_MAX_ATTEMPTS": "1"}

#: The same, with a circuit that is soon tried again.
_SOON_TRIED = {**_SETTINGS, "BREAKER_RESET_SECONDS": "2"}

#: Cards declined in a row, and operations of each other kind: many times what faults would take.
_DECLINED, _REFUSED = 60, 12

#: Faults after which the circuit has to be open at the latest, and requests that provoke them.
_MOST, _REQUESTS = 2 * _FAILURES, 4 * _FAILURES

#: Answers of a PSP that works, of which each ends a row of faults.
_ANSWERS: dict[str, dict[str, Any]] = {
    "decline": {"fault": "decline"},
    "refusal": {"fault": "status_before", "status": 422},
}

#: Seconds within which an open circuit must have been tried again (2 is the contract's).
_TRIED = 30.0

#: Where a PSP that says nothing, or nonsense, is charged if that is taken for an answer.
_TAKEN = {
    402: "resilience/no_answer_is_neither_paid_nor_declined",
    201: "resilience/only_success_is_success",
}


@dataclass(frozen=True, slots=True)
class _Fault:
    """A failed exchange (contract 6.23), and what of it is under way at once."""

    title: str
    kind: FaultKind
    at_once: int = 1


_FAILING = _Fault("answers 500", "status_before")

_KINDS = (
    _FAILING,
    _Fault("drops the connection", "drop_before"),
    _Fault("answers nonsense", "malformed_before"),
    _Fault("hangs", "hang", at_once=8),
)


@check(
    "breaker-counts-declines",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=_SETTINGS,
    replicas=1,
    competencies=("resilience.outside-calls", "resilience.failures"),
)
async def declines_leave_the_circuit_closed(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """However many cards are declined, the next good one is charged."""
    testbed.spoiled = True
    desk = _Desk(await Till.open(alice, psp, fresh))
    with probe(f"{_DECLINED} cards are declined, and then one is good"):
        await desk.declined(["sale", "authorisation"] * (_DECLINED // 2))
        await desk.charges(f"{_DECLINED} cards were declined")
    with probe("a card is declined time after time, and then it is good"):
        (asked,) = await desk.till.ask(["sale"])
        fault = await psp.fault("decline", token=asked.card)
        for _ in range(_REFUSED):
            await desk.post(asked, fresh.key())
        await psp.lift(fault)
        await desk.charges(f"it was declined {_REFUSED} times", asked)
    for status in (400, 404, 422):
        with probe(f"the PSP refuses {_REFUSED} sales with {status}, and then takes one"):
            await desk.spoiled(["sale"] * _REFUSED, "status_before", status=status)
            await desk.charges(f"{_REFUSED} sales were refused with {status}")
    with probe("captures, voids and refunds are declined, and then a card is good"):
        follow_ups = await desk.till.ask(("capture", "void", "refund"))
        for one in follow_ups:
            await psp.fault("decline", token=one.card)
        for _ in range(_REFUSED):
            await all_of(desk.post(one, fresh.key()) for one in follow_ups)
        await desk.charges(f"{_REFUSED} captures, voids and refunds each were declined")
    await desk.alternated()


@check(
    "breaker-counts-declines",
    needs=contract.payments,
    exclusive=True,
    settings=_RETRIED,
    replicas=len(_KINDS),
    competencies=("resilience.outside-calls", "resilience.failures"),
)
async def faults_in_a_row_open_the_circuit(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """A PSP that fails time after time is left alone for a while."""
    testbed.spoiled = True
    till = await Till.open(alice, psp, fresh)
    await all_of(_Desk(till, replica).opened(fault) for replica, fault in enumerate(_KINDS))


@check(
    "breaker-counts-declines",
    needs=contract.payments,
    exclusive=True,
    settings=_SOON_TRIED,
    replicas=1,
    competencies=("resilience.outside-calls", "resilience.failures"),
)
async def a_decline_closes_the_circuit(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """A PSP that works again, and declines a card, is asked about the next one."""
    testbed.spoiled = True
    desk = _Desk(await Till.open(alice, psp, fresh))
    await desk.opened(_FAILING)
    (asked,) = await desk.till.ask(["sale"])
    await psp.fault("decline", token=asked.card)
    with probe("the PSP works again, and declines a card") as attempt:
        deadline = asyncio.get_running_loop().time() + _TRIED
        answer = await desk.post(asked, asked.key)
        while not await psp.journal(asked.card):
            if asyncio.get_running_loop().time() > deadline:
                raise Broken(f"{answer}: {_TRIED:g} s after faults the PSP is not asked again.")
            await asyncio.sleep(0.1)
            answer = await desk.post(asked, asked.key)
        attempt.note(f"{answer}: the PSP was asked again.")
        await desk.charges("a card was declined by a PSP that works again")


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where payments are taken: one replica, with one circuit (contract 6.23)."""

    till: Till
    replica: int = 0

    @property
    def psp(self) -> Psp:
        """The PSP."""
        return self.till.psp

    async def post(self, asked: Asked, key: str) -> Answer:
        """Send an operation under a key, once the replica is not too busy for it."""
        post = self.till.merchant.post
        send = partial(post, asked.path, asked.body, key=key, replica=self.replica)
        return await carried_out(send, busy)

    async def declined(self, kinds: Iterable[str]) -> None:
        """Have operations of these kinds declined, each of another card."""
        await self.spoiled(kinds, "decline")

    async def spoiled(self, kinds: Iterable[str], fault: FaultKind, **options: Any) -> None:
        """Have operations of these kinds end so, each of another card."""
        asked = await self.till.ask(kinds)
        faults = [await self.psp.fault(fault, token=one.card, **options) for one in asked]
        await all_of((self.post(one, one.key) for one in asked), at_once=4)
        for one in faults:
            await self.psp.lift(one)

    async def charges(self, why: str, asked: Asked | None = None) -> None:
        """A good card is charged. Raises ``Vulnerable`` where the PSP is not even asked."""
        if asked is None:
            (asked,) = await self.till.ask(["sale"])
        before = len(await self.psp.journal(asked.card))
        answer = await self.post(asked, self.till.fresh.key())
        unasked = len(await self.psp.journal(asked.card)) == before
        if unasked and answer.status == 503 and answer.code == "psp_unavailable":
            raise Vulnerable(
                f"{answer} for a good card, and the PSP was not asked: {why}, which is no reason to"
                " leave it alone.",
                _HINT,
            )
        answer.expect(201)

    async def alternated(self) -> None:
        """Faults that are no row, since the PSP has answered after each, open nothing."""
        for what, answered in _ANSWERS.items():
            with probe(f"a fault and a {what} by turns, and then a card is good") as attempt:
                for _ in range(_REFUSED):
                    (failing,) = await self.till.ask(["sale"])
                    fault = await self.psp.fault("status_before", token=failing.card)
                    await self.post(failing, failing.key)
                    await self.psp.lift(fault)
                    faults = len(await self.psp.journal(failing.card))
                    if faults >= _FAILURES:
                        attempt.note(f"One sale was {faults} faults: another check's matter.")
                        return
                    await self.spoiled(["sale"], **answered)
                await self.charges(f"{_REFUSED} faults had a {what} after each")

    async def opened(self, fault: _Fault) -> None:
        """Provoke faults until the PSP is left alone. Raises ``Vulnerable`` where it never is."""
        with probe(f"the PSP {fault.title} time after time") as attempt:
            asked = await self.till.ask(["sale"] * _REQUESTS)
            scripted = [await self.psp.fault(fault.kind, token=one.card) for one in asked]
            answers: list[Answer] = []
            calls, faults = [0], 0
            for first in range(0, _REQUESTS, fault.at_once):
                some = asked[first : first + fault.at_once]
                answers += await all_of(self.post(one, one.key) for one in some)
                calls = [len(await self.psp.journal(one.card)) for one in some]
                if 0 in calls or faults >= _MOST:
                    break
                faults += sum(calls)
            attempt.note(f"The PSP failed {faults} times.")
            if 0 not in calls:
                raise _never_opened(fault, faults, answers)
            for name in scripted:
                await self.psp.lift(name)
            answer = answers[calls.index(0) - len(calls)]
            expect_problem(answer, 503, code="psp_unavailable")
            if "Retry-After" not in answer.headers:
                raise Broken(f"{answer} without Retry-After; the contract asks for it.")


def _never_opened(fault: _Fault, faults: int, answers: Iterable[Answer]) -> Decision:
    """What to say of a PSP that is asked on, however often it has failed."""
    for answer in answers:
        if answer.status in _TAKEN:
            return NotReached(
                f"{answer}, when the PSP {fault.title}: that was taken for an answer.",
                _TAKEN[answer.status],
            )
    if faults < _MOST:
        return Inconclusive(f"The PSP could be made to fail {faults} times only.")
    return Vulnerable(
        f"The PSP {fault.title}, {faults} times in a row, and was asked on; after {_FAILURES}"
        " faults it has to be left alone.",
        _HINT,
    )
