"""payment-idor: another merchant's payment is read, captured, voided or refunded (CWE-639)."""

from __future__ import annotations

from dataclasses import dataclass

from checks import contract
from checks.amounts import Money, money
from checks.attachment import Psp
from checks.client import UNSET
from checks.expectations import expect_hidden
from checks.fresh import Fresh
from checks.losers import seen
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.settings import IMPATIENT_CALLS
from checks.shapes import Account, Payment, Refund
from checks.tenants import Merchant, payment_body
from checks.verdicts import Vulnerable

_HINT = (
    "Look the payment up by its id and the caller's merchant together, in every handler that"
    " takes a payment's id, before anything else is done with it."
)


#: What ends an authorisation, or asks about it; with a body, and without.
_ENDINGS: tuple[tuple[str, object], ...] = (("/void", {}), ("/void", UNSET), ("/sync", {}))
_SYNCS: tuple[object, ...] = ({}, UNSET)

#: Seconds within which a stranger's request has reached the PSP.
_QUIET = 0.5

#: Seconds within which a service has asked that does so of its own accord: it does every second.
_UNASKED = 2.5


@dataclass(frozen=True, slots=True)
class _Target:
    """A payment of alice's, and the words that only she knows of it."""

    account: Account
    card: str
    payment: Payment
    secrets: tuple[str, ...]


async def _target(alice: Merchant, fresh: Fresh, *, capture: bool) -> _Target:
    account = await alice.funded()
    card, reference, description = fresh.card(), fresh.reference(), fresh.name()
    body = payment_body(account, fresh.money(2_000, 90_000), card, capture=capture)
    body |= {"reference": reference, "description": description}
    answer = await alice.post("/v1/payments", body, key=fresh.key())
    payment = answer.expect(201).read(Payment)
    return _Target(account, card, payment, (account.id, reference, description))


@check(
    "payment-idor",
    needs=(*contract.payments, *contract.refunds),
    competencies=("security.authorisation",),
)
async def another_merchant_cannot_read_a_payment(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """A payment and its refunds are visible only to the merchant that took the payment."""
    target = await _target(alice, fresh, capture=True)
    refund = await alice.refund(target.payment, money("1.00 GBP"))
    own = await bob.pay(account=await bob.funded())
    own_refund = await bob.refund(own, money("1.00 GBP"))
    await alice.payment(target.payment)
    (await alice.get(refund.url)).expect(200)
    await bob.payment(own)
    secrets = (*target.secrets, refund.id)
    viewer = await bob.client("viewer")
    for caller in (bob.owner, viewer):
        for replica in range(len(alice.platform.connections.replicas)):
            with probe(f"{caller.actor} reads alice's payment and refunds on replica {replica}"):
                stranger = caller.on(replica)
                expect_hidden(await stranger.get(target.payment.url), secrets, _HINT)
                listed = await stranger.get(f"{target.payment.url}/refunds")
                expect_hidden(listed, secrets, _HINT)
                shown = await stranger.get(refund.url)
                expect_hidden(shown, target.secrets, _HINT)
    with probe("bob reaches alice's refund through his own payment, and the other way round"):
        through_own = await bob.get(f"{own.url}/refunds/{refund.id}")
        expect_hidden(through_own, target.secrets, _HINT)
        through_hers = await bob.get(f"{target.payment.url}/refunds/{own_refund.id}")
        expect_hidden(through_hers, target.secrets, _HINT)
    with probe("bob lists payments"):
        for path in ("/v1/payments?limit=100", "/v1/payments?limit=100&status=partially_refunded"):
            listed = await bob.get(path)
            if target.payment.id in listed.content.decode("utf-8", "replace"):
                raise Vulnerable(f"{listed} with another merchant's payment.", _HINT)


@check(
    "payment-idor",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    competencies=("security.authorisation",),
)
async def what_its_owner_has_read_stays_hidden(
    alice: Merchant, bob: Merchant, psp: Psp, fresh: Fresh
) -> None:
    """A payment that its merchant has just read, whatever its state, is hidden from others."""
    voided, refunded = await alice.authorise(), await alice.pay(account=await alice.funded())
    await alice.void(voided)
    refund = await alice.refund(refunded, refunded.amount.money)
    payments = [await alice.authorise(), await alice.pay(), voided, refunded]
    card = fresh.card()
    await psp.fault("decline", "sale", token=card)
    body = payment_body(await alice.open_account(), fresh.money(1_000, 9_000), card)
    declined = await alice.post("/v1/payments", body, key=fresh.key())
    paths = [payment.url for payment in payments] + [f"{refunded.url}/refunds", refund.url]
    if declined.status == 402 and isinstance(id_ := declined.members.get("payment"), str):
        paths.append(f"/v1/payments/{id_}")
    for replica in range(len(alice.platform.connections.replicas)):
        with probe(f"alice reads her payments on replica {replica}, and then bob does"):
            for path in paths:
                mine = await seen(alice.owner, path, replica=replica)
                secrets = (mine.members.get("account"),)
                expect_hidden(await bob.get(path, replica=replica), secrets, _HINT)


@check(
    "payment-idor",
    needs=contract.payments,
    exclusive=True,
    settings=IMPATIENT_CALLS,
    competencies=("security.authorisation",),
)
async def another_merchant_cannot_have_the_psp_asked(
    alice: Merchant, bob: Merchant, psp: Psp, fresh: Fresh
) -> None:
    """A stranger who synchronises a payment whose outcome is open gets nothing done about it."""
    _, card_of_control = await _left_open(alice, psp, fresh)
    target, card = await _left_open(alice, psp, fresh)
    asked = len(await psp.journal(card))
    unasked = len(await psp.wait(card, asked + 1, _UNASKED)) > asked
    asked_of_control = len(await psp.journal(card_of_control))
    with probe("bob synchronises alice's payment, whose outcome the PSP has not told") as attempt:
        for sync in _SYNCS:
            expect_hidden(await bob.post(f"{target}/sync", sync), (), _HINT)
        if unasked:
            attempt.note("The service asks about open payments unasked: bob changes nothing.")
            return
        if len(await psp.wait(card, asked + 1, _QUIET)) == asked:
            return
        others = await psp.wait(card_of_control, asked_of_control + 1, _QUIET)
        if len(others) == asked_of_control:
            raise Vulnerable("The PSP was asked about alice's payment for a stranger.", _HINT)


async def _left_open(alice: Merchant, psp: Psp, fresh: Fresh) -> tuple[str, str]:
    """A payment, by its path, about which the PSP tells nothing; and its card."""
    account, card = await alice.open_account(), fresh.card()
    await psp.fault("drop_after", token=card)
    body = payment_body(account, fresh.money(1_000, 9_000), card)
    await alice.post("/v1/payments", body, key=fresh.key())
    listed = [item async for _, item in alice.walk("/v1/payments")]
    ids = (item["id"] for item in listed if item.get("account") == account.id)
    return f"/v1/payments/{next(ids, f'pay_{fresh.word(26)}')}", card


@check(
    "payment-idor",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    competencies=("security.authorisation",),
)
async def another_merchant_cannot_act_on_a_payment(
    alice: Merchant, bob: Merchant, psp: Psp, fresh: Fresh
) -> None:
    """Only the merchant that took a payment captures, voids, refunds or synchronises it."""
    operator = await bob.client("operator")
    mine = await alice.funded()
    await alice.void(await alice.authorise(account=mine))
    part = Money(fresh.number(100, 900), "GBP")
    for capture, acts in (
        (False, (("/capture", {}), ("/capture", {"amount": part.json()}), *_ENDINGS)),
        (True, (("/refunds", {"amount": part.json()}), ("/sync", {}))),
    ):
        target = await _target(alice, fresh, capture=capture)
        before = await alice.payment(target.payment)
        balance = (await alice.account(target.account)).balance
        done = effects(await psp.journal(target.card))
        for index, (act, body) in enumerate(acts):
            caller = bob.owner if index % 2 == 0 else operator
            with probe(f"{caller.actor} posts {act} on alice's payment"):
                answer = await caller.post(f"{target.payment.url}{act}", body, key=fresh.key())
                after = await alice.payment(target.payment)
                now = effects(await psp.journal(target.card))
                if after != before or (await alice.account(target.account)).balance != balance:
                    raise Vulnerable(
                        f"{answer} to a stranger, and alice's payment changed from"
                        f" {before.status} to {after.status}, refunded {after.refunded.money}.",
                        _HINT,
                    )
                if now != done:
                    raise Vulnerable(f"{answer}, and the PSP did {now[len(done) :]} for it.", _HINT)
                expect_hidden(answer, target.secrets, _HINT)


@check("payment-idor", needs=contract.refunds, competencies=("security.authorisation",))
async def another_merchant_learns_nothing_from_a_payments_state(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """Acting on a stranger's payment is answered alike whatever the payment's state."""
    captured = await _target(alice, fresh, capture=True)
    refund: Refund = await alice.refund(captured.payment, money("1.00 GBP"))
    body = {"amount": Money(captured.payment.amount.amount * 2, "GBP").json()}
    with probe("bob acts on a payment that is captured already"):
        for path, sent in (
            (f"{captured.payment.url}/capture", {}),
            (f"{captured.payment.url}/void", {}),
            (f"{captured.payment.url}/refunds", body),
        ):
            answer = await bob.post(path, sent, key=fresh.key())
            expect_hidden(answer, (*captured.secrets, refund.id), _HINT)
