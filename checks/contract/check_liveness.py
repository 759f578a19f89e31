"""Unrelated requests do not wait for one another (contract 1.19, 6.25)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import asyncpg

from checks import contract
from checks.amounts import money
from checks.attachment import Testbed
from checks.fresh import Fresh
from checks.losers import follow_up
from checks.probes import current, probe
from checks.registry import check
from checks.shapes import Account
from checks.tables import TABLES
from checks.tenants import Merchant, payment_body, transfer_body
from checks.verdicts import Broken

#: Seconds within which requests that need not wait must be answered, however busy the machine is.
_PROMPT = 8.0

_ROWS = """
SELECT count(*)
FROM (SELECT FROM {table} AS t WHERE to_jsonb(t)::text LIKE $1 FOR UPDATE) AS named
"""

_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND $1 = ANY(pg_blocking_pids(pid))
"""


@check(needs=contract.transfers, competencies=("db.locking", "performance.throughput"))
async def disjoint_accounts_proceed(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """While one account is locked, transfers between others are answered."""
    held, target = await alice.funded(), await alice.open_account()
    source, other = await bob.funded(), await bob.open_account()
    async with testbed.observer() as observer, testbed.observer() as watcher:
        transaction = observer.transaction()
        await transaction.start()
        rows = await _lock_rows(observer, held)
        with probe("transfers between bob's accounts while alice's account is locked") as attempt:
            attempt.note(f"{rows} rows that name alice's account are locked.")
            moved, key = transfer_body(held, target, money("1.00 GBP")), fresh.key()
            waiting = asyncio.create_task(alice.post("/v1/transfers", moved, key=key))
            try:
                await _blocked(watcher, observer, waiting)
                for replica in testbed.replicas:
                    for pair in ((source, other), (other, source)):
                        body = transfer_body(*pair, money("0.50 GBP"))
                        answer = await bob.post(
                            "/v1/transfers",
                            body,
                            key=fresh.key(),
                            replica=replica,
                            patience=_PROMPT,
                        )
                        if answer.status is None:
                            raise Broken(
                                f"{answer}, while a stranger's account was locked: unrelated"
                                " accounts"
                                " wait for one another.",
                                "Lock the rows concerned, and nothing that all transfers share.",
                            )
                        answer.expect(201)
            finally:
                await transaction.rollback()
            # Held up so long, it may have been put off meanwhile (contract 1.16).
            resend = partial(alice.post, "/v1/transfers", moved, key=key)
            (answer,) = await follow_up([await waiting], [resend])
            answer.expect(201)


async def _lock_rows(observer: asyncpg.Connection[Any], account: Account) -> int:
    """Lock every row that names an account, in whatever table and form; gives how many."""
    bare = account.id.partition("_")[2]
    found = 0
    for table in [row[0] for row in await observer.fetch(TABLES)]:
        found += await observer.fetchval(_ROWS.format(table=table), f"%{bare}%")
    return found


async def _blocked(
    watcher: asyncpg.Connection[Any],
    holder: asyncpg.Connection[Any],
    request: asyncio.Task[Any],
) -> None:
    """Wait until the request waits for the lock, or is answered without it."""
    deadline = asyncio.get_running_loop().time() + _PROMPT
    while not request.done():
        if await watcher.fetchval(_WAITING, holder.get_server_pid()):
            return
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(0.01)
    current()[1].note("The transfer from the locked account did not wait for it.")


@check(needs=contract.sales, competencies=("resilience.outside-calls", "performance.throughput"))
async def a_slow_processor_holds_up_nobody_else(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """While the PSP keeps several payments waiting, other requests are answered."""
    account, card = await alice.open_account(), fresh.card()
    source, other = await bob.funded(), await bob.open_account()
    hold = await testbed.psp.fault("hold", token=card, effect=True)
    body = payment_body(account, money("5.00 GBP"), card)
    with probe("transfers and a payment of bob's while alice's payments wait for the PSP"):
        waiting = [
            asyncio.create_task(
                alice.post("/v1/payments", body, key=fresh.key(), replica=n % len(testbed.replicas))
            )
            for n in range(2 * len(testbed.replicas))
        ]
        try:
            await testbed.psp.wait(card, len(waiting), _PROMPT)
            for replica in testbed.replicas:
                moved = transfer_body(source, other, money("0.50 GBP"))
                paid = payment_body(other, money("5.00 GBP"), fresh.card())
                for path, sent in (("/v1/transfers", moved), ("/v1/payments", paid)):
                    answer = await bob.post(
                        path, sent, key=fresh.key(), replica=replica, patience=_PROMPT
                    )
                    answer.expect(201)
        finally:
            await testbed.psp.lift(hold)
            answers = await asyncio.gather(*waiting)
    for answer in answers:
        # Where the wait outlasted a time-out, 402 is wrong, and psp-timeout-is-failure's matter.
        answer.expect(201, 202, 402, 502, 504)
