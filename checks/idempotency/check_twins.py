"""idempotency-claim-race: twins under one key both execute (CWE-362)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.concurrency.lost_races import CHARGED
from checks.contest import Contest, View, reading
from checks.idempotency.effects import once
from checks.judging import Judge
from checks.lining_up import contend
from checks.losers import carried_out
from checks.operations import OPERATIONS, Tenants
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.terms import CONTRACT
from checks.verdicts import NotReached

_HINT = (
    "Claim the key with one statement that only one of two can win (INSERT ... ON CONFLICT DO"
    " NOTHING under a unique constraint), and commit the claim before anything is done."
)

_JUDGE = Judge(_HINT, CHARGED)

#: Where a retry that pays twice is charged.
_RETRY = "idempotency/a_retry_has_no_second_effect"

#: The operations raced: a void after a void does nothing that could be told from one.
_AT_THE_PSP = ("sale", "authorisation", "refund", "capture")
_IN_THE_LEDGER = ("transfer", "deposit", "reversal")

#: Cases of an operation are counted on one account: the next is prepared when one is over.
_TERMS = replace(CONTRACT, at_once=1)


@check(
    "idempotency-claim-race",
    needs=(*contract.payments, *contract.refunds),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("distributed.idempotency", "db.locking"),
)
async def twins_of_payments_execute_once(tenants: Tenants, testbed: Testbed) -> None:
    """Payments, captures and refunds that come at once under one key take effect once."""
    await _execute_once(tenants, testbed, _AT_THE_PSP)


@check(
    "idempotency-claim-race",
    needs=contract.transfers,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("distributed.idempotency", "db.locking"),
)
async def twins_of_transfers_execute_once(tenants: Tenants, testbed: Testbed) -> None:
    """Transfers, deposits and reversals that come at once under one key take effect once."""
    await _execute_once(tenants, testbed, _IN_THE_LEDGER)


async def _execute_once(tenants: Tenants, testbed: Testbed, operations: Sequence[str]) -> None:
    tested = 0
    for name in operations:
        if not await _replays(tenants, name):
            continue
        tested += 1
        prepare, what = partial(_twins, tenants, name), f"{name} under one key"
        await contend(testbed, prepare, what, _JUDGE, _TERMS)
    if not tested:
        raise NotReached(
            f"No {' or '.join(operations)} is held back even where a retry comes later.", _RETRY
        )


async def _replays(tenants: Tenants, name: str) -> bool:
    """Whether a retry after the answer takes no second effect; if it does, that is another flaw."""
    case, key = await OPERATIONS[name](tenants), tenants.fresh.key()
    (await carried_out(partial(case.send, key, replica=0))).expect(200, 201)
    for replica in (0, 1):
        await case.send(key, replica=replica)
    return await case.effects() == case.whole


async def _twins(tenants: Tenants, name: str, count: int) -> Contest:
    """So many requests of one operation, under one key."""
    case, key = await OPERATIONS[name](tenants), tenants.fresh.key()

    async def send(replica: int) -> Answer:
        return await case.send(key, replica=replica)

    async def view() -> View:
        return {"effects": await case.effects()}

    def verify(answers: Sequence[Answer], shown: View) -> None:
        once(name, case, shown["effects"], answers, _HINT)

    async def agree(_: Sequence[Answer]) -> None:
        """What is in the books is the view's matter."""

    read = reading(case.merchant, case.account)
    return Contest([send] * count, view, verify, agree, read, alike=True)
