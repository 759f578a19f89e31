"""payout-double-submit: one payout makes two payments at the bank (CWE-837)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.contest import Contest, View, callers_of, reading
from checks.evidence import JournalEntry
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.interleaving import Send
from checks.judging import Judge
from checks.lining_up import contend
from checks.losers import carried_out
from checks.payouts import SETTLED, Desk
from checks.probes import probe
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Account, Payout
from checks.tenants import Merchant
from checks.verdicts import Broken, NotReached, Vulnerable

_HINT = (
    "Say the same to the bank under the same key, the payout's, however often it is said and by"
    " whom; and let one worker claim a payout, by an update on condition, before it is submitted."
)

#: Minor units of a payout, and of all that are made in a race together.
_LEAST, _MOST, _FUNDS = 1_000, 90_000, Money(100_000_000, "GBP")

#: How a bank behaves that has made a payment and does not say so, and does not find it either.
_SILENT: dict[str, dict[str, Any]] = {
    "drops its reply": {"withheld": "drop", "hidden": True},
    "does not reply": {"withheld": "hang", "hidden": True},
}

#: Questions to a bank that finds nothing after which a service has had its chance to send again.
_ASKED = 2

#: Where it is charged that a payout without an outcome is not left open.
_OPEN = "resilience/what_the_bank_leaves_open_stays_held"

_PAUSE = 0.2


@check(
    "payout-double-submit",
    needs=contract.payouts,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("db.locking", "distributed.sagas"),
)
async def workers_at_once_make_one_payment(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """However many submit an approved payout at once, the bank makes one payment of it."""
    callers, account = await callers_of(alice), await alice.funded(_FUNDS)
    desk = await Desk.open(alice, testbed)

    async def prepare(count: int) -> Contest:
        payout = await desk.approve(await desk.make(account, fresh.money(_LEAST, _MOST)))

        async def view() -> View:
            # A bank that answers late leaves it unknown.
            for status in ("approved", "unknown"):
                await _synced(desk, payout, status)
            made = _payments(await testbed.bank.journal(payout.payee.bank_account))
            return {"payments": len(made), "status": (await desk.shown(payout)).status}

        def verify(answers: Sequence[Answer], shown: View) -> None:
            if shown["payments"] > 1:
                raise _twice(payout, shown["payments"], f"{count} syncs of it at once")
            for answer in answers:
                answer.expect(200)
            if not shown["payments"]:
                raise Broken(f"{answers[0]}: a payout is {shown['status']}, and the bank has none.")

        async def agree(_: Sequence[Answer]) -> None:
            """What is held is another check's matter."""

        syncs = [_sync(callers[number % 2], payout) for number in range(count)]
        return Contest(syncs, view, verify, agree, reading(alice, account), alike=True)

    await contend(testbed, prepare, "sync", Judge(_HINT))


@check(
    "payout-double-submit",
    needs=contract.payouts,
    competencies=("distributed.retries", "resilience.outside-calls"),
)
async def what_may_have_been_paid_is_not_paid_again(alice: Merchant, testbed: Testbed) -> None:
    """A payout that the bank has, and neither confirms nor finds, is not paid a second time."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    await all_of([_asked_again(desk, account, *case) for case in _SILENT.items()])


async def _asked_again(desk: Desk, account: Account, what: str, how: dict[str, Any]) -> None:
    bank, fresh = desk.testbed.bank, desk.merchant.fresh
    with probe(f"a bank that makes a payment, {what}, and does not find it"):
        payout = await desk.make(account, fresh.money(_LEAST, _MOST))
        payee = payout.payee.bank_account
        await bank.conduct(payee, **how)
        await desk.approve(payout)
        await _pressed(desk, payout)
        found = await desk.reached(payout, "unknown", "rejected", "failed")
        if found.status != "unknown":
            await bank.conduct(payee)
            because = f"A payout that the bank did not answer for is {found.status}."
            raise NotReached(because, _OPEN)
        await bank.conduct(payee, hidden=True)
        await _synced(desk, payout, "unknown", _ASKED)
        made = _payments(await bank.journal(payee))
        if len(made) > 1:
            raise _twice(payout, len(made), f"a bank that {what}")
        await bank.conduct(payee)
        await desk.reached(payout, "submitted")
        for entry in await bank.journal(payee):
            if entry.method == "POST" and entry.key != payout.id:
                raise Broken(f"The bank was told of {payout.id} under the key {entry.key}.", _HINT)


async def _pressed(desk: Desk, payout: Payout) -> None:
    """Have an approved payout synced again and again, while the bank has not replied to any."""
    sync = partial(desk.merchant.post, f"{payout.url}/sync", {})
    syncs: list[asyncio.Task[Answer]] = []
    deadline = asyncio.get_running_loop().time() + SETTLED
    while (await desk.shown(payout)).status == "approved":
        if asyncio.get_running_loop().time() > deadline:
            break
        syncs.append(asyncio.create_task(carried_out(sync)))
        await asyncio.sleep(_PAUSE)
    for answer in await asyncio.gather(*syncs):
        answer.expect(200)


async def _synced(desk: Desk, payout: Payout, status: str, questions: int = 0) -> None:
    """Have a payout synced while it has a status; if ``questions``, until the bank had so many."""
    journal = partial(desk.testbed.bank.journal, payout.payee.bank_account)
    sync = partial(desk.merchant.post, f"{payout.url}/sync", {})
    before = len(await journal())
    deadline = asyncio.get_running_loop().time() + SETTLED
    while (await desk.shown(payout)).status == status:
        (await carried_out(sync)).expect(200)
        asked = sum(entry.method == "GET" for entry in (await journal())[before:])
        if questions and asked >= questions:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Broken(f"A payout is still {status} after {SETTLED:g} s of syncs.")
        await asyncio.sleep(_PAUSE)


def _sync(caller: Client, payout: Payout) -> Send:
    """A sync, of which it does not matter how far it shows the payout: another may be at it."""

    async def send(replica: int) -> Answer:
        answer = await caller.post(f"{payout.url}/sync", {}, replica=replica)
        return replace(answer, content=b"{}") if answer.ok else answer

    return send


def _payments(journal: Sequence[JournalEntry]) -> list[JournalEntry]:
    return [entry for entry in journal if entry.method == "POST" and entry.effect]


def _twice(payout: Payout, times: int, after: str) -> Vulnerable:
    return Vulnerable(
        f"After {after}, the bank has made {times} payments of one payout of"
        f" {payout.amount.money}.",
        _HINT,
    )
