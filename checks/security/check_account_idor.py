"""account-idor: money is moved on an account of another merchant's (CWE-639)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money, money
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.payouts import payout_body
from checks.probes import probe
from checks.registry import check
from checks.tenants import FUNDS, Merchant, payment_body, transfer_body
from checks.verdicts import Vulnerable
from checks.watched import Watched

_HINT = (
    "Ask whose account it is wherever a request names one, in the look-up that finds it, and before"
    " anything else is said or done about it."
)

_NEEDS_A_SECOND = (*contract.transfers, *contract.merchants)


@check("account-idor", needs=_NEEDS_A_SECOND, competencies=("security.authorisation",))
async def another_merchant_cannot_transfer_from_an_account(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """A transfer is made out of an account by the account's own merchant, and by no other."""
    source, own, theirs = await alice.funded(), await alice.open_account(), await bob.funded()
    await bob.transfer(theirs, own, fresh.money(100, 900))
    operator = await bob.client("operator")
    for replica in range(len(alice.platform.connections.replicas)):
        # Whose account it is may be remembered from here on.
        body = transfer_body(source, own, fresh.money(100, 900))
        made = await alice.post("/v1/transfers", body, key=fresh.key(), replica=replica)
        made.expect(201)
        watched = await Watched.now(alice, source)
        for caller, target in ((bob.owner, theirs), (operator, own)):
            with probe(f"{caller.actor} transfers from alice's account on replica {replica}"):
                body = transfer_body(source, target, fresh.money(1_000, 90_000))
                for claims in ({}, _claims(alice)):
                    answer = await caller.post(
                        "/v1/transfers", body, key=fresh.key(), headers=claims, replica=replica
                    )
                    await watched.unmoved(
                        answer, f"{caller.actor} asked for a transfer out of it", _HINT
                    )
                    expect_problem(answer, 404, 403)
    with probe("bob asks for more than alice's account holds"):
        body = transfer_body(source, theirs, Money(FUNDS + 1, "GBP"))
        answer = await bob.post("/v1/transfers", body, key=fresh.key())
        if answer.code == "insufficient_funds":
            raise Vulnerable(
                f"{answer} for {FUNDS + 1} pence, and 404 or 403 for less: whoever asks often"
                " enough knows what alice's account holds.",
                _HINT,
            )
        expect_problem(answer, 404, 403)


def _claims(merchant: Merchant) -> dict[str, str]:
    """A merchant as a stranger might say that it acts for it."""
    names = ("X-Merchant-Id", "X-Merchant", "X-Tenant-Id", "X-Account-Owner", "X-On-Behalf-Of")
    return dict.fromkeys(names, merchant.id)


@check("account-idor", needs=_NEEDS_A_SECOND, competencies=("security.authorisation",))
async def only_its_receiver_gives_a_transfer_back(
    alice: Merchant, bob: Merchant, carol: Merchant, fresh: Fresh
) -> None:
    """A reversal takes money from the receiver's account, and is nobody else's to ask for."""
    source, theirs = await alice.funded(), await bob.open_account()
    made = await alice.transfer(source, theirs, fresh.money(1_000, 9_000))
    watched = await Watched.now(bob, theirs)
    for sender, statuses in ((alice, (403,)), (carol, (404, 403))):
        with probe(f"{sender.actor} takes back what alice paid to bob"):
            answer = await sender.post(f"{made.url}/reversal", {}, key=fresh.key())
            await watched.unmoved(answer, f"{sender.actor} took back what alice had paid", _HINT)
            expect_problem(answer, *statuses, code="forbidden" if sender is alice else None)
    await bob.reverse(made)


@check(
    "account-idor",
    needs=(*contract.payouts, *contract.quotes),
    competencies=("security.authorisation",),
)
async def another_merchant_cannot_pay_out_or_convert(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """Payouts and conversions are made of an account by the account's own merchant alone."""
    theirs, euros = await alice.funded(), await alice.open_account("EUR")
    own, own_euros = await bob.funded(), await bob.open_account("EUR")
    operator = await bob.client("operator")
    watched = await Watched.now(alice, theirs)
    with probe("bob's operator makes a payout of alice's account"):
        body = payout_body(theirs, fresh.money(1_000, 90_000), fresh.payee())
        answer = await operator.post("/v1/payouts", body, key=fresh.key())
        await watched.unmoved(answer, "bob asked for a payout of it", _HINT)
        expect_problem(answer, 404, 403)
    received = await Watched.now(alice, euros)
    for source, target, account in ((theirs, own_euros, watched), (own, euros, received)):
        whose = "out of" if account is watched else "into"
        with probe(f"bob converts {whose} alice's account"):
            quoted = await bob.post(
                "/v1/quotes", transfer_body(source, target, fresh.money(1_000, 90_000))
            )
            await account.unconverted(bob, quoted, f"bob converted money {whose} it", _HINT)
            expect_problem(quoted, 404, 403)


@check(
    "account-idor",
    needs=(*contract.payments, *contract.refunds),
    competencies=("security.authorisation",),
)
async def another_merchant_cannot_take_payments_into_an_account(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """A card payment is credited to an account of the merchant's that takes it, and to no other."""
    theirs = await alice.funded(money("500.00 GBP"))
    watched = await Watched.now(alice, theirs)
    with probe("bob takes a payment into alice's account"):
        body = payment_body(theirs, fresh.money(1_000, 9_000), fresh.card())
        answer = await bob.post("/v1/payments", body, key=fresh.key())
        await watched.unmoved(answer, "bob had a card paid into it, which is his to refund", _HINT)
        expect_problem(answer, 404, 403)
