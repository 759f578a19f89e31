"""saga-no-compensation: what a payout held stays held when it has come to nothing (CWE-460)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from checks import contract
from checks.attachment import Testbed
from checks.gathering import all_of
from checks.outgoing import Outgoing
from checks.payouts import SETTLED, Desk
from checks.probes import probe
from checks.registry import check
from checks.resilience.letting_go import UNPAID, WHY, expect_let_go
from checks.tenants import Merchant

_PAUSE = 0.2

#: How a bank refuses that has done nothing (contract 13.4).
_REFUSALS = (400, 404, 422)

#: Has the end of a payout told; false if it does not come so far, which is another check's matter.
_Tell = Callable[[Outgoing], Awaitable[bool]]


async def _by_its_reply(_: Outgoing) -> bool:
    return True


async def _by_notice(out: Outgoing) -> bool:
    await out.reached("submitted")
    (await out.desk.notice(out.payout, "failed", WHY)).expect(204)
    return True


async def _by_sync(out: Outgoing) -> bool:
    await out.reached("submitted")
    await out.become("failed", WHY)
    deadline = asyncio.get_running_loop().time() + SETTLED
    while (await out.desk.shown(out.payout)).status == "submitted":
        (await out.sync()).expect(200)
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_PAUSE)
    return True


async def _by_the_worker(out: Outgoing, *, fails: bool) -> bool:
    """The bank, which was silent, answers again."""
    if (await out.reached("unknown", *UNPAID)).status != "unknown":
        return False
    await out.ordered()
    if fails:
        await out.become("failed", WHY)
    await out.desk.testbed.bank.conduct(out.payee)
    return True


#: What the bank does, how it behaves towards the order, and how its last word is heard.
_ENDS: tuple[tuple[str, dict[str, Any], _Tell], ...] = (
    ("rejects a payout", {"answers": "rejected"}, _by_its_reply),
    *((f"answers {it}", {"status": it, "done": False}, _by_its_reply) for it in _REFUSALS),
    ("gives notice that it could not pay", {}, _by_notice),
    ("could not pay, and is asked", {}, _by_sync),
    (
        "could not pay, and did not answer at first",
        {"withheld": "drop"},
        partial(_by_the_worker, fails=True),
    ),
    (
        "rejects a payout, and did not say so at first",
        {"answers": "rejected", "withheld": "drop"},
        partial(_by_the_worker, fails=False),
    ),
)


@check(
    "saga-no-compensation",
    needs=(*contract.payouts, "contract/an_approved_payout_is_paid"),
    competencies=("distributed.sagas", "money.ledger"),
)
async def what_comes_to_nothing_is_let_go(alice: Merchant, testbed: Testbed) -> None:
    """A payout that is rejected or fails lets go of its amount, once, however that is told."""
    desk = await Desk.open(alice, testbed)
    await all_of([_comes_to_nothing(desk, *one) for one in _ENDS])


async def _comes_to_nothing(desk: Desk, what: str, how: dict[str, Any], tell: _Tell) -> None:
    with probe(f"a bank that {what}") as attempt:
        out = await Outgoing.approved(desk, **how)
        if not await tell(out):
            attempt.note("It was not left open while the bank was silent: another check's matter.")
            return
        await out.reached(*UNPAID)
        await expect_let_go(out, f"A bank that {what}")
