"""psp-webhook-order: news that comes late undoes what came after it (CWE-841)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from checks import contract
from checks.attachment import Testbed
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import carried_out, lost
from checks.money.late_news import Desk, Late, declined_late, outrun
from checks.news import News, Shown, expiry_of, latest, lift, under_way, untold
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.resilience.cases import Asked, Till
from checks.tenants import Merchant
from checks.verdicts import Broken, Inconclusive, Vulnerable

_HINT = (
    "Let a payment's status go forward only, whatever tells it: an authorisation that has run out"
    " ends one that is authorised, with nothing under way, and no other; what is told of an"
    " operation that has ended is passed over. The order in which notices arrive says nothing."
)

#: What ends an authorisation, other than that it runs out.
_ENDS = ("capture", "void")

_NEEDED = (
    *contract.payments,
    *contract.voids,
    *contract.refunds,
    *contract.declines,
    *contract.events,
    "contract/a_notice_settles_a_payment",
    "contract/an_authorisation_that_has_run_out_is_not_captured",
)


@check("psp-webhook-order", needs=_NEEDED, competencies=("money.ledger", "distributed.events"))
async def late_news_undoes_nothing(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """What the PSP tells of an earlier state leaves a later one as it is."""
    desk = Desk(await Till.open(alice, testbed.psp, fresh), testbed)
    late = [one async for one in outrun(desk)] + [one async for one in declined_late(desk)]
    await all_of((_undoes_nothing(desk, one) for one in late), at_once=1)


async def _undoes_nothing(desk: Desk, late: Late) -> None:
    """All is as it was, and nothing can be done that could not be done before."""
    before = await Shown.of(desk.till, late.payment)
    with probe(str(late)):
        for replica in desk.testbed.replicas:
            answer = await carried_out(partial(desk.bring, late.operation, replica))
            changes = before.changed_to(await Shown.of(desk.till, late.payment))
            if changes:
                raise Vulnerable(f"{answer} to {late}: {changes}.", _HINT)
            if not (answer.status == 204 or (late.contradicts and answer.refused)):
                raise Broken(f"{answer} to {late}; the contract asks for 204.", _HINT)
        await _no_more_is_taken(desk, late)


async def _no_more_is_taken(desk: Desk, late: Late) -> None:
    """What was captured, voided or has run out is not captured (again)."""
    before = await _captures(desk, late.card)
    answer = await desk.merchant.post(f"{late.payment.url}/capture", {}, key=desk.fresh.key())
    done = await _captures(desk, late.card) - before
    if done or answer.ok:
        raise Vulnerable(
            f"{answer} to a capture after {late}: the PSP carried out {done} more.", _HINT
        )
    expect_problem(answer, 409, code="not_capturable")


async def _captures(desk: Desk, card: str) -> int:
    done = effects(await desk.testbed.psp.journal(card))
    return sum(effect.type == "capture" for effect in done)


@check("psp-webhook-order", needs=_NEEDED, competencies=("money.ledger", "distributed.events"))
async def an_authorisation_does_not_run_out_under_a_capture(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A payment whose capture or void may have been done is not ended by its authorisation."""
    till = await Till.open(alice, testbed.psp, fresh)
    asked = await till.ask(_ENDS * 2)
    await all_of((_waits(testbed, one) for one in asked[: len(_ENDS)]), at_once=1)
    await all_of((_waits_meanwhile(testbed, one) for one in asked[len(_ENDS) :]), at_once=1)


async def _waits(testbed: Testbed, asked: Asked) -> None:
    """The news has to be brought again, and changes nothing when the other has succeeded."""
    till, kind = asked.till, asked.kind
    news = await untold(asked, declined=False)
    expiry = await _expiry(news)
    try:
        with probe(f"an authorisation runs out, and the outcome of its {kind} is not known"):
            await _not_taken(testbed, expiry)
        with probe(f"the {kind} is told, and then once more that the authorisation has run out"):
            (await carried_out(partial(news.bring, testbed))).expect(204)
            settled = await Shown.of(till, news.payment)
            if not news.taken_in(settled.payment):
                raise Broken(f"The {kind} was told; the payment is {settled.payment.status}.")
            answer = await expiry.bring(testbed)
            changes = settled.changed_to(await Shown.of(till, news.payment))
            if changes:
                raise Vulnerable(f"{answer} to an expiry after the {kind}: {changes}.", _HINT)
            answer.expect(204)
    finally:
        await lift([news])


async def _waits_meanwhile(testbed: Testbed, asked: Asked) -> None:
    """So has it while the PSP is still at the other."""
    psp, kind = asked.till.psp, asked.kind
    operations: tuple[Any, ...] = (kind,)
    fault = await psp.fault("hold", *operations, token=asked.card, effect=True)
    asking = asyncio.create_task(asked.send())
    try:
        with probe(f"an authorisation runs out, and the PSP is at its {kind}"):
            news = News(asked, await under_way(asked), await latest(asked))
            await _not_taken(testbed, await _expiry(news))
            if asking.done():
                raise Inconclusive(f"The {kind} was given up before the notice was brought.")
    finally:
        await psp.lift(fault)
        await asyncio.gather(asking, return_exceptions=True)


async def _expiry(news: News) -> News:
    """That the authorisation has run out which the news is about."""
    till = news.asked.till
    authorised, *_ = await till.psp.told(news.asked.card)
    return replace(news, operation=expiry_of(authorised, till.fresh))


async def _not_taken(testbed: Testbed, expiry: News) -> None:
    """The payment does not run out yet, since something may have been done with it."""
    answer = await expiry.bring(testbed)
    before, kind = expiry.payment, expiry.asked.kind
    now = await expiry.asked.till.merchant.payment(before)
    if now.status != before.status:
        raise Vulnerable(
            f"{answer} to a notice that an authorisation has run out, whose {kind} the PSP has"
            f" carried out and not answered for yet: the payment, which was {before.status}, is"
            f" {now.status}.",
            _HINT,
        )
    if not lost(answer):
        raise Broken(f"{answer}; the contract asks for 409 operation_pending.", _HINT)
