"""payout-returned-late: what the bank gives back does not come to the account (CWE-841)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.gathering import all_of
from checks.outgoing import Outgoing, Standing
from checks.payouts import SETTLED, Desk
from checks.probes import Attempt, probe
from checks.registry import check
from checks.shapes import Payout
from checks.tenants import FUNDS, Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "A return is news of a payout that was paid: post it as a transaction of its own, which credits"
    " the account, whoever brings the news. Where it comes before the news that the payout was"
    " paid, post both."
)

_PAUSE = 0.5

#: Brings the news that a payment was given back, for a reason; the answer to it, if it was brought.
_Tell = Callable[[Outgoing, str], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class _Way:
    """How a return comes about: when, how the bank behaves before it, who brings the news.

    ``known`` is what the payout is by then. The hold of one that is ``unknown`` is not looked at:
    it is another check's matter.
    """

    when: str
    known: str
    tell: _Tell
    conduct: dict[str, Any] = field(default_factory=dict)

    def wanted(self, before: Standing, out: Outgoing) -> tuple[int, Counter[tuple[str, int]]]:
        """What has to be held, and the entries that have to be there, when it is credited."""
        held = before.held - (0 if self.known == "paid" else out.amount)
        return held, Counter([("payout", -out.amount), ("payout_return", out.amount)])


async def _by_notice(out: Outgoing, reason: str) -> Answer:
    """Brought again where it was not taken, as the bank would."""
    answer = await out.desk.notice(out.payout, "returned", reason)
    return answer if answer.ok else await out.desk.notice(out.payout, "returned", reason)


async def _by_sync(out: Outgoing, reason: str) -> Answer:
    """Asked again, where a service takes one step at a time."""
    await out.become("returned", reason)
    deadline = asyncio.get_running_loop().time() + SETTLED
    while (answer := await out.sync()).ok:
        if (await out.desk.shown(out.payout)).status == "returned":
            break
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_PAUSE)
    return answer


async def _by_the_worker(out: Outgoing, reason: str) -> Answer | None:
    """The worker asks about what is unknown; what is paid by then need not be asked about."""
    await out.become("returned", reason)
    await out.desk.testbed.bank.conduct(out.payee)
    found = await out.reached("returned", "paid", "failed", "rejected")
    return await _by_sync(out, reason) if found.status == "paid" else None


#: The bank has made the payment, and neither says so nor finds it.
_SILENT = {"answers": "paid", "withheld": "drop"}

_WAYS = (
    _Way("after it was paid, and gives notice", "paid", _by_notice, {"answers": "paid"}),
    _Way("after it was paid, and is asked", "paid", _by_sync, {"answers": "paid"}),
    _Way("before it was known to be paid, and gives notice", "submitted", _by_notice),
    _Way("before it was known to be paid, and is asked", "submitted", _by_sync),
    _Way("before anything was known of it", "unknown", _by_the_worker, _SILENT),
)


@check(
    "payout-returned-late",
    needs=(*contract.payouts, "contract/an_approved_payout_is_paid"),
    competencies=("money.ledger", "distributed.sagas"),
)
async def what_the_bank_gives_back_is_credited(alice: Merchant, testbed: Testbed) -> None:
    """A payout that comes back credits its account, by an entry of its own, however it is told."""
    desk = await Desk.open(alice, testbed)
    await all_of([_given_back(desk, way) for way in _WAYS])


async def _given_back(desk: Desk, way: _Way) -> None:
    with probe(f"a bank that gives a payout back {way.when}") as attempt:
        out = await Outgoing.approved(desk, **way.conduct)
        before = await _known(out, way, attempt)
        if before is None:
            return
        reason = " ".join(desk.merchant.fresh.word(6) for _ in range(3))
        answer = await way.tell(out, reason)
        _credited(out, way, before, await out.standing(), answer)
        if answer is not None:
            answer.expect(200, 204)
        _expect_told(await desk.shown(out.payout), reason)


async def _known(out: Outgoing, way: _Way, attempt: Attempt) -> Standing | None:
    """What a payout has brought about by the time that it comes back, if it gets so far."""
    if way.known == "unknown":
        found = await out.reached("unknown", "rejected", "failed")
        if found.status != "unknown":
            attempt.note("The payout was not left open: another check's matter.")
            return None
    await out.reached(way.known)
    return await out.standing()


def _credited(
    out: Outgoing, way: _Way, before: Standing, now: Standing, answer: Answer | None
) -> None:
    """The payout was debited once and credited once, and nothing of it is held."""
    held, moved = way.wanted(before, out)
    if now.moved == moved and now.balanced and (way.known == "unknown" or now.held == held):
        return
    told = "The worker has asked" if answer is None else str(answer)
    raise Vulnerable(
        f"{told}: the bank gave {out.payout.amount.money} back {way.when}, and the payout is"
        f" {now.status}. The account shows {now} (minor units), and before that {before}; it must"
        f" be posted {FUNDS} again, by entries payout and payout_return of {out.amount}, and held"
        f" {out.waits}, for another payout.",
        _HINT,
    )


def _expect_told(payout: Payout, reason: str) -> None:
    """It is shown as what it is, and why (contract 12.1, 12.5)."""
    if (payout.status, payout.reason) != ("returned", reason):
        raise Broken(
            f"A payout that came back for {reason!r} is {payout.status}, for {payout.reason!r}."
        )
