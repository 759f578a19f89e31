"""mass-assignment: a body sets what only the service decides of a payment (CWE-915)."""

from __future__ import annotations

from collections.abc import Mapping

from checks import contract
from checks.amounts import Money
from checks.client import Answer
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.security.members import HINT, RICH, identities, pounds, said, unfailing, written
from checks.shapes import Account, Payment, Refund
from checks.tenants import Merchant, payment_body
from checks.verdicts import Vulnerable


@check(
    "mass-assignment",
    needs=(*contract.payments, *contract.refunds),
    competencies=("security.authorisation", "api.validation"),
)
async def a_payments_state_is_not_the_clients(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """No body sets a payment's or refund's status, captured or refunded amount, fee or owner."""
    theirs = await bob.open_account()
    extras: tuple[dict[str, object], ...] = (
        {"status": "captured"},
        {"status": "refunded"},
        {"state": "captured"},
        {"captured": pounds(RICH)},
        {"captured_amount": RICH},
        {"capturedAmount": RICH},
        {"captured": RICH},
        {"fee": pounds(0)},
        {"fee": 0},
        {"fee_amount": 0},
        {"refunded": pounds(1)},
        {"refunds": []},
        {"authorisation": fresh.word(20)},
        *identities(fresh, "pay", bob.id),
    )
    account = await alice.open_account()
    for extra in extras:
        amount = fresh.money(2_000, 9_000)
        body = payment_body(account, amount, fresh.card(), capture=False) | extra
        with probe(f"a payment made with {said(extra)}"):
            answer = await alice.post("/v1/payments", body, key=fresh.key())
            unfailing(answer, extra)
            if answer.ok:
                await _plain_payment((alice, bob), account, amount, answer, extra)
                account = await alice.open_account()
    await _follow_ups(alice, bob, theirs, fresh)


async def _plain_payment(
    merchants: tuple[Merchant, Merchant],
    account: Account,
    amount: Money,
    answer: Answer,
    extra: Mapping[str, object],
) -> None:
    """A payment made with an extra member is only authorised, and alice's, all the same."""
    alice, bob = merchants
    made = answer.read(Payment)
    shown = await alice.get(made.url)
    if not shown.ok or (await bob.get(made.url)).ok:
        raise Vulnerable(f"{answer} with {said(extra)}: the payment changed hands.", HINT)
    now = shown.read(Payment)
    nothing = Money(0, amount.currency)
    figures = (now.captured.money, now.refunded.money, now.fee.money)
    right = now.status == "authorised" and figures == (nothing, nothing, nothing)
    posted = (await alice.account(account)).balance.posted.amount
    stamped = now.created_at.year == 2001
    if not right or posted or stamped or now.id == extra.get("id") or now.account != account.id:
        raise Vulnerable(
            f"{answer} with {said(extra)}, and the payment is {now.status}, captured"
            f" {now.captured.money}, fee {now.fee.money}, created {now.created_at}; posted"
            f" {posted}.",
            HINT,
        )
    captured = await alice.capture(now)
    wanted = Money((amount.amount * 150 + 5_000) // 10_000, "GBP").amount
    if captured.captured.money != amount or abs(captured.fee.amount - wanted) > 1:
        raise Vulnerable(
            f"{answer} with {said(extra)}; captured, it shows {captured.captured.money} and a fee"
            f" of {captured.fee.money}.",
            HINT,
        )


async def _follow_ups(alice: Merchant, bob: Merchant, theirs: Account, fresh: Fresh) -> None:
    """Captures and refunds take no more than they name, either."""
    account = await alice.funded()
    payment = await alice.authorise(account=account)
    extras: tuple[dict[str, object], ...] = (
        {"fee": pounds(0)},
        {"fee_amount": 0},
        {"status": "captured"},
        {"captured": pounds(RICH)},
        {"account": theirs.id},
        {"account_id": theirs.id},
        {"reference": fresh.reference()},
        {"description": fresh.name()},
        *identities(fresh, "pay", bob.id),
    )
    for extra in extras:
        with probe(f"a capture with {said(extra)}"):
            if await _captured(alice, payment, extra, fresh):
                payment = await alice.authorise(account=account)
    taken = await alice.pay(account=account)
    extras = (
        {"status": "failed"},
        {"status": "pending"},
        {"account": theirs.id},
        {"account_id": theirs.id},
        {"payment": f"pay_{fresh.word(26)}"},
        {"payment_id": f"pay_{fresh.word(26)}"},
        *identities(fresh, "ref", bob.id),
    )
    for extra in extras:
        with probe(f"a refund with {said(extra)}"):
            await _refunded(alice, account, taken, extra, fresh)


async def _refunded(
    alice: Merchant, account: Account, taken: Payment, extra: dict[str, object], fresh: Fresh
) -> None:
    """A refund with an extra member gives a part of alice's payment back, or nothing."""
    before = (await alice.account(account)).balance.available.amount
    part = fresh.money(100, 200)
    body = {"amount": part.json(), **extra}
    answer = await alice.post(f"{taken.url}/refunds", body, key=fresh.key())
    unfailing(answer, extra)
    after = (await alice.account(account)).balance.available.amount
    if answer.ok:
        refund = answer.read(Refund)
        told = (refund.status, refund.payment, refund.amount.money)
        set_ = refund.id == extra.get("id") or refund.created_at.year == 2001
        if told != ("succeeded", taken.id, part) or set_:
            raise Vulnerable(f"{answer} with {said(extra)}, as {written(refund)}.", HINT)
        if not (await alice.get(refund.url)).ok:
            raise Vulnerable(f"{answer} with {said(extra)}: alice cannot see it.", HINT)
    if after != before - (part.amount if answer.ok else 0):
        raise Vulnerable(f"{answer} with {said(extra)} moved {before - after}.", HINT)


async def _captured(
    alice: Merchant, payment: Payment, extra: dict[str, object], fresh: Fresh
) -> bool:
    """A capture with an extra member captures a part of alice's payment, or nothing."""
    part = fresh.money(100, 900)
    body = {"amount": part.json(), **extra}
    answer = await alice.post(f"{payment.url}/capture", body, key=fresh.key())
    unfailing(answer, extra)
    shown = await alice.get(payment.url)
    if not shown.ok:
        raise Vulnerable(f"{answer} with {said(extra)}, and then {shown}.", HINT)
    now = shown.read(Payment)
    wanted = part if answer.ok else Money(0, "GBP")
    kept = {"status": now.status, "captured": now.captured, "fee": now.fee}
    moved = now != payment.model_copy(update=kept)
    if moved or now.captured.money != wanted or (answer.ok and now.fee.amount == 0):
        raise Vulnerable(f"{answer} with {said(extra)}, and it is {written(now)}.", HINT)
    return answer.ok
