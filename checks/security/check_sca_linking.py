"""sca-not-linked: a code approves what its message did not name (CWE-345)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer
from checks.contest import Contest, View, reading
from checks.expectations import expect_problem
from checks.explorer import explore
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.judging import Judge
from checks.losers import carried_out, seen
from checks.payouts import Desk
from checks.probes import probe
from checks.registry import check
from checks.security.approvers import APPROVED, Approver
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Payee, Payout
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Bind each code to its challenge: to the approver, the payout, and the amount and payee that"
    " its message named. Compare them with the payout under the lock in which it is approved, and"
    " have every change void the codes before it."
)

#: Minor units of a payout; what it is changed to is less, or more.
_LEAST, _MOST = 5_000, 90_000
_LESS, _MORE = (1_000, 4_999), (90_001, 99_000)

#: What all the payouts of a race may come to together.
_FUNDS = Money(100_000_000, "GBP")


@dataclass(frozen=True, slots=True)
class _Change:
    """How a payout is changed after its code was sent; ``newer`` has another code sent then."""

    what: str
    payee: Payee
    body: dict[str, Any]
    newer: bool = False


@check(
    "sca-not-linked",
    needs=contract.payouts,
    competencies=("compliance.sca", "security.authentication"),
)
async def a_code_is_for_the_amount_and_payee_it_named(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A payout that was changed is not approved with a code from before the change."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    owner = Approver.root(alice, testbed)

    async def attempt(change: _Change) -> None:
        payout = await desk.make(account, fresh.money(_LEAST, _MOST), change.payee)
        with probe(f"a code from before {change.what}"):
            code = await owner.obtain(payout)
            send = partial(desk.maker.patch, payout.url, change.body)
            changed = (await carried_out(send)).expect(200).read(Payout)
            if change.newer:
                await owner.obtain(changed, 2)
            await _refused(owner, changed, code, named=payout)

    await all_of([attempt(change) for change in _changes(fresh)])


@check(
    "sca-not-linked",
    needs=contract.payouts,
    competencies=("compliance.sca", "security.authentication"),
)
async def a_code_is_for_its_approver_and_its_payout(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A code approves no other payout, and nobody approves with a code that another was sent."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    owner = Approver.root(alice, testbed)
    other = await Approver.create(alice, alice.owner, testbed)
    first, second, third, fourth, fifth = [
        await desk.make(account, fresh.money(_LEAST, _MOST)) for _ in range(5)
    ]
    with probe("a code that was sent for another payout"):
        await _refused(owner, second, await owner.obtain(first), named=first)
    with probe("the newest of the owner's codes, which was sent for another payout"):
        await owner.obtain(third)
        code = await owner.obtain(first, 2)
        await _refused(owner, third, code, named=first)
    with probe("a code that has approved another payout"):
        (await owner.approve(first, code)).expect(200)
        await _refused(owner, third, code, named=first)
    for payout, asks in ((fourth, False), (fifth, True)):
        with probe("a code that another owner was sent"):
            if asks:
                await other.obtain(payout)
            code = await owner.obtain(payout)
            await _refused(other, payout, code, named=payout)


@check(
    "sca-not-linked",
    needs=contract.payouts,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("compliance.sca", "db.transactions"),
)
async def a_payout_is_not_changed_while_it_is_approved(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Of an approval and a change that come at once, one finds what the other has done."""
    desk, account = await Desk.open(alice, testbed), await alice.funded(_FUNDS)
    owner = Approver.root(alice, testbed)

    async def prepare(_: int) -> Contest:
        payout = await desk.make(account, fresh.money(_LEAST, _MOST))
        body, key = {"code": await owner.obtain(payout)}, fresh.key()
        terms = {
            "amount": fresh.money(*_MORE).json(),
            "payee": fresh.payee().model_dump(),
        }

        async def approve(replica: int) -> Answer:
            return await alice.post(f"{payout.url}/approve", body, key=key, replica=replica)

        async def change(replica: int) -> Answer:
            return await desk.maker.patch(payout.url, terms, replica=replica)

        async def view() -> View:
            shown = await desk.shown(payout)
            return {
                "status": shown.status,
                "changed": (shown.amount, shown.payee) != (payout.amount, payout.payee),
                "as_wanted": (shown.amount.model_dump(), shown.payee.model_dump())
                == (terms["amount"], terms["payee"]),
            }

        def verify(answers: Sequence[Answer], shown: View) -> None:
            if shown["status"] in APPROVED and shown["changed"]:
                raise Vulnerable(
                    f"{answers[0]}, and {answers[1]}: a payout was approved with the code of a"
                    f" message that named {payout.amount.money}, and it was changed to another"
                    " amount and payee at that moment.",
                    _HINT,
                )
            if not any(answer.ok for answer in answers):
                raise Broken(f"Neither an approval nor a change succeeded: {answers[0]}.")

        async def agree(_: Sequence[Answer]) -> None:
            """What is held is another check's matter."""

        return Contest((approve, change), view, verify, agree, reading(alice, account))

    await explore(testbed, prepare, "payout request", Judge(_HINT))


async def _refused(approver: Approver, payout: Payout, code: str, *, named: Payout) -> None:
    """A payout is not approved with a code whose message named something else."""
    answer = await approver.approve(payout, code)
    now = (await seen(approver.client, payout.url)).read(Payout)
    if answer.ok or now.status in APPROVED:
        theirs = "" if named != payout else ", and was sent to somebody else"
        raise Vulnerable(
            f"{answer}: a payout of {_terms(now)} was approved with a code whose message named"
            f" {_terms(named)}{theirs}.",
            _HINT,
        )
    expect_problem(answer, 422, code="code_invalid")


def _terms(payout: Payout) -> str:
    payee = payout.payee
    return f"{payout.amount.money} to {payee.name!r} at {payee.bank_account}"


def _changes(fresh: Fresh) -> list[_Change]:
    """Changes of one thing each, and of what is the same where it is written in one piece."""
    payees = [fresh.payee() for _ in range(5)]
    moved, digits = fresh.payee(), str(fresh.number(10, 99))
    longer = moved.model_copy(update={"name": f"{moved.name}{digits}"})
    shifted = Payee(name=moved.name, bank_account=f"{digits}{moved.bank_account}")
    tail = moved.bank_account[-4:]
    taken = Payee(name=f"{tail}{moved.name}", bank_account=moved.bank_account[:-4])
    elsewhere = payees[2].model_copy(update={"bank_account": fresh.payee().bank_account})
    renamed = payees[3].model_copy(update={"name": fresh.payee().name})
    return [
        _Change("the amount was raised", payees[0], {"amount": fresh.money(*_MORE).json()}),
        _Change("the amount was lowered", payees[1], {"amount": fresh.money(*_LESS).json()}),
        _Change("the payee's bank account was changed", payees[2], _to(elsewhere)),
        _Change("the payee's name was changed", payees[3], _to(renamed)),
        _Change("digits moved from the payee's name to its account", longer, _to(shifted)),
        _Change("digits moved from the payee's account to its name", moved, _to(taken)),
        _Change("the payee was changed and a new code sent", payees[4], _to(fresh.payee()), True),
    ]


def _to(payee: Payee) -> dict[str, Any]:
    return {"payee": payee.model_dump()}
