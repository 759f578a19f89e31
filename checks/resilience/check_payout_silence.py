"""saga-no-compensation: what a payout holds is let go though nobody knows its end (CWE-755)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from checks import contract
from checks.attachment import Testbed
from checks.gathering import all_of
from checks.losers import carried_out
from checks.outgoing import Outgoing, Standing
from checks.payouts import SETTLED, Desk
from checks.probes import Attempt, probe
from checks.registry import check
from checks.resilience.letting_go import HINT, UNPAID, WHY, expect_let_go
from checks.tenants import FUNDS, Merchant, transfer_body
from checks.verdicts import Broken, Vulnerable

#: Questions to a bank that tells nothing, or finds nothing, after which a service still must not
#: give up.
_IN_VAIN, _NOT_FOUND = 6, 3

_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class _Silence:
    """A way for the bank to have made a payment and not to tell; what it tells in the ``end``.

    ``asked``: so often in vain. ``hides``: then it does not find the payment, but would take the
    same order again. ``noticed``: the end is told by a notice, while it still is silent to whoever
    asks; otherwise to the worker, who asks.
    """

    what: str
    how: dict[str, Any]
    end: Literal["paid", "failed"]
    asked: int = 1
    hides: bool = False
    noticed: bool = False


_SILENCES = (
    _Silence("drops its reply", {"withheld": "drop"}, "paid", _IN_VAIN),
    _Silence("drops its reply, and later fails to pay", {"withheld": "drop"}, "failed"),
    _Silence("hangs", {"withheld": "hang"}, "failed", noticed=True),
    _Silence("answers 500", {"status": 500}, "failed"),
    _Silence("answers 503", {"status": 503}, "paid"),
    # The contract's definite refusals are three, and no other 4xx is one of them.
    _Silence("answers 409", {"status": 409}, "paid"),
    _Silence("answers 408", {"status": 408}, "failed"),
    _Silence("babbles", {"nonsense": True}, "paid"),
    _Silence("names another amount", {"members": {"amount": "1.00"}}, "failed"),
    _Silence("names another reference", {"members": {"reference": "another"}}, "paid"),
    _Silence("drops its reply, and finds nothing", {"withheld": "drop"}, "paid", hides=True),
    _Silence("answers 500, and finds nothing", {"status": 500}, "paid", hides=True),
)

#: How a bank tells nothing that has said before that it has a payment.
_SILENT_LATER: dict[str, dict[str, Any]] = {
    "finds nothing": {"hidden": True},
    "drops its replies": {"withheld": "drop"},
    "answers 500": {"status": 500},
    "names another id, of one that failed": {"members": {"id": "bnk_0", "status": "failed"}},
}


@check(
    "saga-no-compensation",
    needs=(*contract.payouts, "contract/an_approved_payout_is_paid"),
    competencies=("distributed.sagas", "resilience.outside-calls"),
)
async def what_the_bank_leaves_open_stays_held(alice: Merchant, testbed: Testbed) -> None:
    """A payout whose outcome nobody knows keeps its amount, until the bank tells; then, once."""
    desk = await Desk.open(alice, testbed)
    later = [_silent_later(desk, *case) for case in _SILENT_LATER.items()]
    await all_of([*(_left_open(desk, silence) for silence in _SILENCES), *later])


async def _left_open(desk: Desk, silence: _Silence) -> None:
    bank, who = desk.testbed.bank, f"A bank that made a payment and {silence.what}"
    with probe(f"a bank that makes a payment and {silence.what}") as attempt:
        made = "paid" if silence.end == "paid" else "accepted"
        out = await Outgoing.approved(desk, answers=made, **silence.how)
        silent = _Silent(out, who, ("unknown",), attempt)
        try:
            await out.reached("unknown", *UNPAID)
            await silent.asked(silence.asked)
            if silence.hides:
                # Who sends the same again is told that it is paid.
                await bank.conduct(out.payee, answers="paid", hidden=True)
                await silent.asked(_NOT_FOUND, until="paid")
            if silence.noticed:
                # Who would ask the bank before it believes a notice cannot yet.
                (await desk.notice(out.payout, silence.end, WHY)).expect(204, 503)
            elif silence.end == "failed":
                await out.become("failed", WHY)
        finally:
            await bank.conduct(out.payee)
        await out.reached(silence.end)
        await expect_let_go(out, f"{who}, and told later", paid=silence.end == "paid")


async def _silent_later(desk: Desk, what: str, how: dict[str, Any]) -> None:
    bank, who = desk.testbed.bank, f"A bank that took a payout and later {what}"
    with probe(f"a bank that takes a payout and later {what}") as attempt:
        out = await Outgoing.approved(desk)
        await out.reached("submitted")
        await bank.conduct(out.payee, **how)
        try:
            await _Silent(out, who, ("submitted", "unknown"), attempt).asked(_NOT_FOUND)
        finally:
            await bank.conduct(out.payee)


@dataclass(frozen=True, slots=True)
class _Silent:
    """A payout that the bank has, and tells nothing of; ``known`` is what it may show meanwhile."""

    out: Outgoing
    who: str
    known: Sequence[str]
    attempt: Attempt

    async def asked(self, questions: int, until: str = "") -> None:
        """Have the bank asked so often, and see that nothing comes of it.

        Ends at once where the payout comes ``until`` a status that the bank may tell.
        """
        out, journal = self.out, partial(self.out.desk.testbed.bank.journal, self.out.payee)
        before = len(await journal())
        deadline = asyncio.get_running_loop().time() + SETTLED
        while await self._still_held(until) and len(await journal()) < before + questions:
            if asyncio.get_running_loop().time() > deadline:
                self.attempt.note(f"The bank was asked less than {questions} times.")
                break
            (await out.sync()).expect(200)
            await asyncio.sleep(_PAUSE)

    async def _still_held(self, until: str) -> bool:
        """While nobody knows what became of it, nothing of it is free, and nothing is posted.

        False where the bank has told by now.
        """
        out, who = self.out, self.who
        held, now = out.waits + out.amount, await self.out.standing()
        if not self._untouched(now):
            # It may have been seen in the midst of a change.
            now = await out.standing()
        money = out.payout.amount.money
        if now.status == until:
            return False
        if now.held < held:
            raise Vulnerable(
                f"{who}: nobody knows what became of a payout of {money}, which is {now.status},"
                f" and its amount is not held any more: {now}; held must be {held} (minor units)."
                f" {await self._spent()}",
                HINT,
            )
        if now.status in UNPAID:
            raise Vulnerable(
                f"{who}: a payout of {money} is {now.status}, which the bank never said. The"
                f" account shows {now} (minor units).",
                HINT,
            )
        if now.status not in self.known:
            raise Broken(f"{who}: the payout is {now.status}, not {' or '.join(self.known)}.")
        if not self._untouched(now):
            raise Broken(f"{who}: the account shows {now}; held must be {held} (minor units).")
        return True

    def _untouched(self, now: Standing) -> bool:
        held = self.out.waits + self.out.amount
        return (now.posted, now.held, now.moved.total()) == (FUNDS, held, 0)

    async def _spent(self) -> str:
        """Spend all that is available, the payout's amount too; what came of it, for the report."""
        out, merchant = self.out, self.out.desk.merchant
        target = await merchant.open_account()
        available = (await merchant.account(out.account)).balance.available.money
        body = transfer_body(out.account, target, available)
        send = partial(merchant.post, "/v1/transfers", body, key=merchant.fresh.key())
        answer = await carried_out(send)
        if not answer.ok:
            return f"It could not be spent: {answer}."
        return f"A transfer of all {available} that was available went through: it is spent twice."
