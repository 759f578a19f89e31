"""outbox-skips-late-commit: what commits late is passed over when it is published (CWE-362)."""

from __future__ import annotations

import asyncio
from collections import Counter

from checks import contract
from checks.attachment import Testbed
from checks.fresh import Fresh
from checks.lanes import brief
from checks.losers import lost
from checks.pinning import PinnedRequest, pinned, worker_held
from checks.probes import probe
from checks.registry import check
from checks.resilience.changes import Asked, Kind, sales, transfers
from checks.resilience.overtaking import Others, commit_of, expect_sent
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant
from checks.testbed.driving.schedule import Place
from checks.testbed.sql.statement import understand
from checks.verdicts import Inconclusive

#: Seconds for which a request is held at most, each time less: a service may end what idles in a
#: transaction, as it should.
_HOLDS = (6.0, 2.5, 1.0)

#: Seconds within which a worker that publishes anything at that time has come to its next note.
_STANDS = 6.0

#: Notes of a worker at which it is held, at most.
_NOTES = 8

#: How often one that polls is seen to ask the same; and seconds to wait for it, and a pause.
_REPEATS, _IDLE, _PAUSE = 4, 2.0, 0.05


@check(
    "outbox-skips-late-commit",
    needs=(*contract.deliveries, *contract.transfers, *contract.sales),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("distributed.events", "db.transactions"),
)
async def what_commits_late_is_told(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """What commits late is told all the same, though others were told and the worker went on."""
    await testbed.control.worker_start(testbed.lease)
    source, target = await alice.funded(), await alice.open_account()
    others = await Others.open(alice, testbed)
    kinds = (transfers(source, target, fresh), sales(source, fresh))
    commits = [(await commit_of(kind, others), kind) for kind in kinds]
    overtaken = [await _overtaken(place, kind, others) for place, kind in commits]
    if any(overtaken):
        place, kind = commits[0]
        for shape in await _notes(others):
            await _beside(shape, place, kind, others)


async def _overtaken(place: Place, kind: Kind, others: Others) -> bool:
    """Hold a request of a kind before it commits; whether others were told meanwhile.

    It is held until they are, or for as long as it may be: a service may publish nothing before a
    transaction that began earlier has ended.
    """
    clock = asyncio.get_running_loop().time
    for seconds in _HOLDS:
        asked = await Asked.of(kind, others.merchant)
        with probe(f"{kind.name}: held before {brief(place.shape)}") as attempt:
            until = clock() + seconds
            async with pinned(others.testbed, asked.send, place) as pin:
                sending = [asyncio.create_task(others.one_is_sent())]
                await asyncio.wait(sending, timeout=seconds)
                if told := sending[0].done():
                    sending.append(asyncio.create_task(others.one_is_sent_after_many(until)))
                    await asyncio.wait(sending, timeout=max(until - clock(), 0))
            answer = pin.sent.result()
            attempt.step("request 1", f"is let go, and answered {answer.status}")
            await asyncio.gather(*sending)
            if not (why := _spoilt(pin)):
                await expect_sent(answer.expect(201).members["id"], kind, others)
                return told
    raise Inconclusive(f"A request for {kind.name} could not be held before it commits: {why}.")


def _spoilt(pin: PinnedRequest) -> str:
    """What the service did because a request was held, if anything: it has not committed late."""
    answer = pin.sent.result()
    return pin.broken or (str(answer) if lost(answer) or answer.failed else "")


async def _notes(others: Others) -> list[str]:
    """What the worker writes when it publishes an event, and not all the time."""
    with probe("what the worker notes when it publishes"):
        await others.shop.delivery(await others.one_is_sent(), "delivered")
        usual = set(await _idling(others.testbed))
        since = (await others.testbed.count("worker")).statements
        await others.shop.delivery(await others.one_is_sent(), "delivered")
        sent = await _shapes(others.testbed, since)
    return [shape for shape in sent if shape not in usual and understand(shape).writes][:_NOTES]


async def _idling(testbed: Testbed) -> Counter[str]:
    """The statements of a worker that has nothing to do, as soon as it asks the same again."""
    clock = asyncio.get_running_loop().time
    since, deadline = (await testbed.count("worker")).statements, clock() + _IDLE
    while True:
        found = await _shapes(testbed, since)
        asked = [times for shape, times in found.items() if understand(shape).tables]
        if max(asked, default=0) >= _REPEATS or clock() > deadline:
            return found
        await asyncio.sleep(_PAUSE)


async def _shapes(testbed: Testbed, since: int) -> Counter[str]:
    """The statements that the worker has sent since, in the order in which they came first."""
    statements = await testbed.control.sql_statements(testbed.lease, "worker", since=since)
    return Counter(understand(one.text).shape for one in statements)


async def _beside(shape: str, place: Place, kind: Kind, others: Others) -> None:
    """Have a request commit while the worker stands before a note of others.

    They were made while the request was held.
    """
    asked = await Asked.of(kind, others.merchant)
    with probe(f"{kind.name}: while the worker stands before {brief(shape)}") as attempt:
        async with worker_held(others.testbed, shape) as standing:
            async with pinned(others.testbed, asked.send, place) as pin:
                making = asyncio.create_task(others.one_is_made())
                await asyncio.wait([standing], timeout=_STANDS)
                stands = standing.done() and standing.result()
                attempt.step("worker", f"stands before {brief(shape)}" if stands else "goes on")
            answer = pin.sent.result()
            attempt.step("request 1", f"is let go, and answered {answer.status}")
        await making
        if why := _spoilt(pin):
            raise Inconclusive(f"A request for {kind.name} could not be held: {why}.")
        await expect_sent(answer.expect(201).members["id"], kind, others)
