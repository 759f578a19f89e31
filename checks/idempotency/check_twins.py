"""idempotency-claim-race: twins under one key both execute (CWE-362)."""

from __future__ import annotations

from functools import partial

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.gate import race
from checks.idempotency.effects import taken_once
from checks.losers import follow_up, unfailed
from checks.operations import OPERATIONS, Case, Operation, Tenants
from checks.probes import probe
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tables import tables_written
from checks.verdicts import Inconclusive, NotReached

_HINT = (
    "Claim the key with one statement that only one of two can win (INSERT ... ON CONFLICT DO"
    " NOTHING under a unique constraint), and commit the claim before anything is done."
)

#: Where a retry that pays twice is charged.
_RETRY = "idempotency/a_retry_has_no_second_effect"

#: The operations raced: a void after a void does nothing that could be told from one.
_RACED = ("sale", "authorisation", "transfer", "refund", "deposit", "capture", "reversal")

#: Requests under one key, at once: on different replicas, and two on the same.
_TWINS = 3


@check(
    "idempotency-claim-race",
    needs=(*contract.transfers, *contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("distributed.idempotency", "db.locking"),
)
async def twins_execute_once(tenants: Tenants, testbed: Testbed, fresh: Fresh) -> None:
    """Requests that come at once under one key take effect once."""
    tested, driven = 0, 0
    for name in _RACED:
        operation = OPERATIONS[name]
        lone, key = await operation(tenants), fresh.key()
        tables = await tables_written(testbed, partial(_alone, lone, key))
        if not await _replays(lone, key):
            continue
        tested += 1
        for table in tables:
            driven += await _twins(tenants, testbed, name, operation, table)
    if not tested:
        raise NotReached("No operation holds a retry back even when it comes later.", _RETRY)
    if not driven:
        raise Inconclusive("At no table did twins line up: the race could not be driven.")


async def _alone(case: Case, key: str) -> Answer:
    return (await case.send(key, replica=0)).expect(200, 201)


async def _replays(case: Case, key: str) -> bool:
    """Whether a retry after the answer takes no second effect; if it does, that is another flaw."""
    for replica in (0, 1):
        await case.send(key, replica=replica)
    return await case.effects() == case.whole


async def _twins(
    tenants: Tenants, testbed: Testbed, name: str, operation: Operation, table: str
) -> bool:
    """Twins at the gate of one table; gives whether they lined up there."""
    case, key = await operation(tenants), tenants.fresh.key()
    replicas = len(testbed.replicas)
    requests = [partial(case.send, key, replica=number % replicas) for number in range(_TWINS)]
    with probe(f"{name}: {_TWINS} twins at once, held at their writes to {table}"):

        async def read(replica: int) -> Answer:
            return await case.merchant.get(case.account.url, replica=replica, record=False)

        run = await race(testbed, table, requests, read)
        settled = await follow_up(run.answers, requests)
        await taken_once(name, case, settled, _HINT)
        unfailed((*run.answers, *settled))
    return run.driven
