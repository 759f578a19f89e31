"""idempotency-restart: a crash between charge and commit charges again (CWE-837)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from checks import again, contract
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.contest import reading
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.interleaving import interleave
from checks.lanes import record
from checks.losers import SETTLED, lost
from checks.power_cuts import Outages, described, power_cuts
from checks.probes import Attempt, probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.settings import SHORT_CLAIMS
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.testbed.driving.schedule import Cut, Schedule
from checks.verdicts import Inconclusive, Vulnerable

_HINT = (
    "Commit the attempt, with the key that the PSP will be sent, before the PSP is asked; a retry"
    " takes up that attempt under that key, and never begins another."
)

#: Operations of one kind that meet a power cut at most.
_MOST = 120

#: Operations of each kind under way at once; only one of all is struck at a time.
_AT_ONCE = 4

#: Look-ups of an operation that come before the PSP's own books show it (contract 9.5).
_LAGGING = 2

#: Requests under one key before it counts as stuck, however slow this machine is.
_TRIES = 8

#: Seconds between two requests under one key, where the answer does not say.
_PAUSE, _LONGEST = 0.2, 2.0


@check(
    "idempotency-restart",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=SHORT_CLAIMS,
    replicas=3,
    competencies=("distributed.idempotency", "resilience.outside-calls"),
)
async def a_crash_has_no_second_effect(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Wherever the power is cut, a retry with the same key brings the one effect about."""
    spared = alice.on(testbed.replicas[-1])
    till = await Till.open(spared, psp, fresh)
    cuts: dict[str, list[Cut]] = {kind: await possible_cuts(kind, till, testbed) for kind in KINDS}
    if (wanted := again.wanted()) is not None:
        cuts = {wanted.what: [wanted.schedule.cut]} if wanted.schedule.cut else {}
    async with Outages.on(testbed, reading(alice, till.account)) as outages:
        strikes = (strike(*one, till, outages, psp) for one in cuts.items())
        struck = await all_of(strikes, hasty=True)
    with probe("the books, when all is settled"):
        await _nothing_left(till, [asked for of_kind in struck for asked in of_kind])
        await till.books.agree(Vulnerable, _HINT)


async def possible_cuts(kind: str, till: Till, testbed: Testbed) -> list[Cut]:
    """The cuts that an operation of this kind can meet, by what it does undisturbed."""
    (asked,) = await till.ask([kind])
    with probe(f"{kind}: undisturbed", keep=False) as attempt:
        run = await interleave(testbed, Schedule(), [asked.send], replicas=[testbed.replicas[-1]])
        record(run.course, attempt)
        if run.course.stuck:
            raise Inconclusive(run.course.stuck)
        run.answers[0].expect(200, 201)
        asked.settled()
    return power_cuts(run.course)[:_MOST]


async def strike(
    kind: str, cuts: Sequence[Cut], till: Till, outages: Outages, psp: Psp
) -> list[Asked]:
    """Make an operation of this kind meet each of the cuts; gives them, each resolved.

    Raises ``Vulnerable``, or ``Inconclusive`` where no cut could be made.
    """
    asked = await till.ask([kind] * len(cuts))
    struck = [_Struck(one, cut, outages, psp) for one, cut in zip(asked, cuts, strict=True)]
    await all_of((one.attack() for one in struck), at_once=_AT_ONCE, hasty=True)
    driven = sum(one.driven for one in struck)
    with probe(f"{kind}: all power cuts") as attempt:
        attempt.note(f"Of {len(cuts)} power cuts {driven} were made.")
        if not driven:
            raise Inconclusive(f"The power could not be cut at any step of a {kind}.")
    return asked


async def _nothing_left(till: Till, struck: Sequence[Asked]) -> None:
    """An attempt that was left behind is settled too, and charges nobody."""
    by_reference = {one.body["reference"]: one for one in struck if "reference" in one.body}
    listed = await till.listed()
    made = Counter(payment.reference for payment in listed)
    for payment in listed:
        if payment.reference in by_reference and made[payment.reference] > 1:
            await till.merchant.sync(payment)
            await _once(by_reference[payment.reference])


async def _once(asked: Asked) -> None:
    charged, posted = await asked.charged(), await asked.posted()
    whole = 0 if asked.kind in {"authorisation", "void"} else 1
    if charged > 1 or posted > whole:
        raise Vulnerable(
            f"One {asked.kind} of {asked.amount} was carried out {_times(charged)} by the PSP and"
            f" is {_times(posted)} in the ledger.",
            _HINT,
        )
    if (charged, posted) != (1, whole):
        raise Vulnerable(
            f"A {asked.kind} of {asked.amount} that was answered as done was carried out"
            f" {_times(charged)} by the PSP and is {_times(posted)} in the ledger.",
            _HINT,
        )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


class _Struck:
    """One operation whose replica meets a power cut, and that is sent again to another."""

    def __init__(self, asked: Asked, cut: Cut, outages: Outages, psp: Psp) -> None:
        self._asked = asked
        self._cut = cut
        self._outages = outages
        self._psp = psp
        self.driven = False

    async def attack(self) -> None:
        """Strike it, resolve it, and look at what came of it."""
        title = f"{self._asked.kind}: {described(self._cut)}"
        with probe(title, keep=False) as attempt:
            await self._psp.fault("not_found", "lookup", token=self._asked.card, times=_LAGGING)
            again.keep(attempt, self._asked.kind, Schedule(cut=self._cut))
            run = await self._outages.make(self._cut, self._asked.send)
            record(run.course, attempt)
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            self.driven = run.course.driven
            first = run.answers[0]
            final = await self._resolved(first, attempt)
            if first.ok and first.members.get("id") != final.members.get("id"):
                raise Vulnerable(f"{first}, and then {final}: two objects under one key.", _HINT)
            await _once(self._asked)
            self._asked.settled()

    async def _resolved(self, first: Answer, attempt: Attempt) -> Answer:
        """Its final answer; raises ``Vulnerable`` where the key does not give it."""
        deadline = asyncio.get_running_loop().time() + SETTLED
        sent = 0
        while True:
            sent += 1
            answer = await self._asked.send(self._outages.spare)
            attempt.step(f"replica {self._outages.spare + 1}", f"sent again: {answer}")
            if await self._says_done(answer):
                return answer
            pause = min(answer.retry_after or _PAUSE, _LONGEST)
            open_ = lost(answer) or answer.failed or answer.ok
            late = sent >= _TRIES and asyncio.get_running_loop().time() + pause > deadline
            if late or not open_:
                raise Vulnerable(
                    f"{first}, when {described(self._cut)}; and then {answer} under the same key:"
                    " it does not resume the work.",
                    _HINT,
                )
            await asyncio.sleep(pause)

    async def _says_done(self, answer: Answer) -> bool:
        """Whether an answer, or for one that leaves it open the payment, says that it was done."""
        if not answer.ok or self._asked.answers_done(answer):
            return answer.ok
        member = "payment" if self._asked.kind == "refund" else "id"
        payment = f"/v1/payments/{answer.members.get(member)}"
        merchant, spare = self._asked.till.merchant, self._outages.spare
        synced = await merchant.post(f"{payment}/sync", {}, replica=spare)
        return synced.ok and self._asked.says_done(synced.read(Payment))
