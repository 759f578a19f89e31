"""payout-self-approval: who makes a payout approves it too, or has a creature do so (CWE-863)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Client
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import carried_out
from checks.payouts import Desk, make
from checks.probes import probe
from checks.registry import check
from checks.security.approvers import APPROVED, Approver
from checks.shapes import Account, Payout
from checks.tenants import Merchant
from checks.verdicts import Vulnerable

_HINT = (
    "Keep every client that made or changed a payout, and refuse the challenge and the approval to"
    " each of them, and to whomever one of them created, directly or through others."
)

#: Minor units of a payout.
_LEAST, _MOST = 1_000, 90_000


@dataclass(frozen=True, slots=True)
class _Case:
    """Somebody who has no business to approve a payout, and why."""

    approver: Approver
    payout: Payout
    why: str


@check(
    "payout-self-approval",
    needs=contract.payouts,
    competencies=("security.authorisation", "compliance.sca"),
)
async def nobody_approves_what_they_made_or_changed(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """An owner who made or changed a payout does not approve it, whoever changed it since."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    owner = await Approver.create(alice, alice.owner, testbed)
    made, remade = await _made(owner, account, fresh), await _made(owner, account, fresh)
    paying, costing, touched = [await desk.make(account, _amount(fresh)) for _ in range(3)]
    amount, payee = _amount(fresh).json(), fresh.payee().model_dump()
    for payout, changer, body in (
        (remade, desk.maker, {"amount": amount}),
        (paying, owner.client, {"payee": payee}),
        (costing, owner.client, {"amount": amount}),
        (touched, owner.client, {"payee": payee}),
        (touched, desk.maker, {"amount": amount}),
    ):
        await _changed(changer, payout, body)
    await _refused(
        alice,
        [
            _Case(owner, made, "made it"),
            _Case(owner, remade, "made it, before an operator changed it"),
            _Case(owner, paying, "changed its payee"),
            _Case(owner, costing, "changed its amount"),
            _Case(owner, touched, "changed its payee, before an operator changed its amount"),
        ],
    )


@check(
    "payout-self-approval",
    needs=contract.payouts,
    competencies=("security.authorisation", "compliance.sca"),
)
async def a_makers_creature_approves_nothing_of_theirs(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Whom the maker of a payout created, directly or through others, does not approve it."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    owner, sibling = [await Approver.create(alice, alice.owner, testbed) for _ in range(2)]
    child = await Approver.create(alice, owner.client, testbed)
    grandchild = await Approver.create(alice, child.client, testbed)
    parent = await Approver.create(alice, owner.client, testbed)
    orphan = await Approver.create(alice, parent.client, testbed)
    (await carried_out(partial(alice.owner.delete, f"/v1/clients/{parent.id}"))).expect(204)
    with probe("another owner, whom the maker did not create, approves a payout"):
        payout = await _made(owner, account, fresh)
        (await sibling.approve(payout, await sibling.obtain(payout))).expect(200)
    payouts = [await _made(owner, account, fresh) for _ in range(4)]
    changed = await desk.make(account, _amount(fresh))
    await _changed(owner.client, changed, {"payee": fresh.payee().model_dump()})
    late = await Approver.create(alice, owner.client, testbed)
    await _refused(
        alice,
        [
            _Case(child, payouts[0], "was created by the owner who made it"),
            _Case(grandchild, payouts[1], "was created by one whom its maker had created"),
            _Case(orphan, payouts[2], "was created by one whom its maker had created, now deleted"),
            _Case(late, payouts[3], "was created by its maker afterwards"),
            _Case(child, changed, "was created by the owner who changed its payee"),
        ],
    )


async def _refused(merchant: Merchant, cases: list[_Case]) -> None:
    """None of them gets a code or approves, and each is told why."""
    await all_of([_attempted(merchant, case) for case in cases])


async def _attempted(merchant: Merchant, case: _Case) -> None:
    approver, payout = case.approver, case.payout
    with probe(f"an owner tries to approve a payout who {case.why}"):
        asked = await approver.ask(payout)
        code = await approver.code(payout) if asked.ok else approver.guess()
        answer = await approver.approve(payout, code)
        now = (await merchant.get(payout.url)).expect(200).read(Payout)
        if answer.ok or now.status in APPROVED:
            raise Vulnerable(
                f"{answer}: a payout of {now.amount.money} was approved by an owner who"
                f" {case.why}.",
                _HINT,
            )
        for refused in (asked, answer):
            expect_problem(refused, 403, code="self_approval")


async def _made(owner: Approver, account: Account, fresh: Fresh) -> Payout:
    return await make(owner.client, fresh, account, _amount(fresh), fresh.payee())


async def _changed(changer: Client, payout: Payout, body: dict[str, Any]) -> None:
    (await carried_out(partial(changer.patch, payout.url, body))).expect(200)


def _amount(fresh: Fresh) -> Money:
    return fresh.money(_LEAST, _MOST)
