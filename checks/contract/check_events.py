"""Events: what happened, told to the merchants it concerns (contract 16)."""

from __future__ import annotations

from checks import contract
from checks.attachment import Psp, Testbed
from checks.events import events_of, expect_told
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.payouts import Desk
from checks.registry import check
from checks.shapes import Quote
from checks.tenants import Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Broken


@check(needs=contract.deposits, competencies=("distributed.events",))
async def money_that_comes_in_is_told(alice: Merchant, platform: Platform, fresh: Fresh) -> None:
    """Every deposit makes an event, and the list has all of them, newest first."""
    account = await alice.open_account()
    made = [await platform.deposit(account, fresh.money(100, 9_000)) for _ in range(3)]
    for deposit in made:
        await expect_told(alice, deposit, "deposit.created")
    listed = [event.about for _, event in await events_of(alice)]
    if listed != [deposit.id for deposit in made]:
        raise Broken(f"GET /v1/events lists {listed}; the deposits were {made}.")


@check(
    needs=(*contract.events, *contract.transfers),
    competencies=("distributed.events", "security.authorisation"),
)
async def a_transfer_is_told_to_both_merchants(
    alice: Merchant, bob: Merchant, carol: Merchant, fresh: Fresh
) -> None:
    """Each merchant that a transfer concerns is told of it once, and nobody else."""
    source, own, theirs = await alice.funded(), await alice.open_account(), await bob.open_account()
    kept = await alice.transfer(source, own, fresh.money(100, 5_000))
    await expect_told(alice, kept, "transfer.created")
    sent = await alice.transfer(source, theirs, fresh.money(100, 5_000))
    for merchant in (alice, bob):
        await expect_told(merchant, sent, "transfer.created")
    back = await bob.reverse(sent)
    now = sent.model_copy(update={"reversed_by": back.id})
    for merchant in (alice, bob):
        await expect_told(merchant, back, "transfer.created")
        await expect_told(merchant, now, "transfer.created", "transfer.reversed")
    (_, event), *_ = await events_of(alice, sent.id)
    expect_absent(await carol.get(event.url), (source.id, theirs.id))
    if await events_of(carol) or await events_of(carol, sent.id):
        raise Broken("GET /v1/events lists events of a transfer between others.")
    if await events_of(bob, kept.id):
        raise Broken("GET /v1/events lists events of another merchant's transfer.")


@check(
    needs=(*contract.events, *contract.payments, *contract.voids, *contract.refunds),
    competencies=("distributed.events",),
)
async def what_becomes_of_a_payment_is_told(alice: Merchant, fresh: Fresh) -> None:
    """Each status that a payment comes to is told in order, and what became of its refunds."""
    account = await alice.funded()
    payment = await alice.authorise(fresh.money(10_000, 90_000), account)
    await expect_told(alice, payment, "payment.authorised")
    captured = await alice.capture(payment)
    came = ["payment.authorised", "payment.captured"]
    await expect_told(alice, captured, *came)

    part = fresh.money(100, 5_000)
    first = await alice.refund(captured, part)
    came += ["payment.partially_refunded"]
    await expect_told(alice, await alice.payment(payment), *came)
    rest = await alice.refund(captured, captured.captured.money - part)
    await expect_told(alice, await alice.payment(payment), *came, "payment.refunded")
    for refund in (first, rest):
        await expect_told(alice, refund, "refund.succeeded")

    voided = await alice.void(await alice.authorise(fresh.money(1_000, 9_000), account))
    await expect_told(alice, voided, "payment.authorised", "payment.voided")


@check(needs=(*contract.events, *contract.declines), competencies=("distributed.events",))
async def a_declined_payment_is_told(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A payment that is declined is told of; what was refused at the door is not."""
    source, card = await alice.funded(), fresh.card()
    await psp.fault("decline", "sale", token=card)
    before = len(await events_of(alice))
    same = transfer_body(source, source, fresh.money(100, 5_000))
    expect_problem(await alice.post("/v1/transfers", same, key=fresh.key()), 422)
    if len(await events_of(alice)) != before:
        raise Broken("A transfer that was refused made an event.")
    body = payment_body(source, fresh.money(1_000, 9_000), card)
    expect_problem(await alice.post("/v1/payments", body, key=fresh.key()), 402)
    *_, (_, event) = await events_of(alice)
    if event.type != "payment.declined" or event.data.get("status") != "declined":
        raise Broken(f"After a declined payment the last event is {event}.")


@check(needs=(*contract.events, *contract.quotes), competencies=("distributed.events",))
async def an_executed_quote_is_told(alice: Merchant, fresh: Fresh) -> None:
    """A quote is told of when it is executed, and not before."""
    base, other = fresh.pair()
    source = await alice.funded(fresh.money(90_000, 99_000, base))
    target = await alice.open_account(other)
    quote = await alice.quote(source, target, fresh.money(10_000, 80_000, base))
    if await events_of(alice, quote.id):
        raise Broken("A quote that nobody executed made an event.")
    answer = await alice.post(f"{quote.url}/execute", {}, key=fresh.key())
    await expect_told(alice, answer.expect(200).read(Quote), "quote.executed")


@check(
    needs=(*contract.events, *contract.payouts),
    competencies=("distributed.events", "distributed.sagas"),
)
async def a_payouts_way_is_told(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """Each step of a payout is told in order, those too that the bank makes."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    given_up = await desk.make(account, fresh.money(1_000, 90_000))
    (await desk.maker.post(f"{given_up.url}/cancel", {})).expect(200)
    await expect_told(alice, await desk.shown(given_up), "payout.created", "payout.cancelled")

    payout = await desk.make(account, fresh.money(1_000, 90_000))
    change = {"amount": fresh.money(1_000, 90_000).json()}
    (await desk.maker.request("PATCH", payout.url, change)).expect(200)
    came = ["payout.created", "payout.changed"]
    await expect_told(alice, changed := await desk.shown(payout), *came)
    await desk.approve(changed)
    submitted = await desk.reached(payout, "submitted")
    came += ["payout.approved", "payout.submitted"]
    await expect_told(alice, submitted, *came)
    (await desk.notice(submitted, "paid")).expect(204)
    paid = await desk.reached(payout, "paid")
    await expect_told(alice, paid, *came, "payout.paid")
