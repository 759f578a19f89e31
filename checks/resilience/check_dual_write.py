"""dual-write: something is changed and not told, or told and not changed (CWE-362)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from checks import again, contract
from checks.attachment import Testbed
from checks.contest import reading
from checks.fresh import Fresh
from checks.interleaving import interleave
from checks.lanes import record
from checks.losers import SETTLED, lost
from checks.power_cuts import Outages, described, power_cuts
from checks.probes import probe
from checks.registry import check
from checks.resilience.changes import Asked, Kind, cancellations, payouts, sales, transfers
from checks.settings import SHORT_CLAIMS
from checks.tenants import Merchant
from checks.testbed.driving.schedule import Cut, Schedule
from checks.verdicts import Inconclusive, Vulnerable

_HINT = (
    "Write the event into a table of the same database, in the transaction that makes the change,"
    " and have a worker publish it from there (transactional outbox)."
)

#: Seconds that a change and its event may differ, for a service that is still at it; and a pause.
_PROMPT, _PAUSE = 3.0, 0.1

#: Cuts that one kind of change meets at most.
_MOST = 60


@check(
    "dual-write",
    needs=(*contract.events, *contract.transfers, *contract.payments, *contract.payouts),
    exclusive=True,
    settings=SHORT_CLAIMS,
    replicas=3,
    competencies=("distributed.events", "db.transactions"),
)
async def a_change_and_its_event_are_one(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """Wherever the power is cut, what was changed is told, and what is told was changed."""
    source, target = await alice.funded(), await alice.open_account()
    told = (
        transfers(source, target, fresh),
        sales(source, fresh),
        payouts(source, fresh),
        cancellations(source, fresh),
    )
    kinds = {kind.name: kind for kind in told}
    spared = alice.on(testbed.replicas[-1])
    cuts = {name: await _possible(kind, spared, testbed) for name, kind in kinds.items()}
    if (wanted := again.wanted()) is not None:
        cuts = {wanted.what: [wanted.schedule.cut]} if wanted.schedule.cut else {}
    async with Outages.on(testbed, reading(alice, source)) as outages:
        for name, of_kind in cuts.items():
            await _strike(kinds[name], of_kind, spared, outages)


async def _possible(kind: Kind, merchant: Merchant, testbed: Testbed) -> list[Cut]:
    """The cuts that a change can meet, by the course that it takes undisturbed."""
    asked = await Asked.of(kind, merchant)
    with probe(f"{kind.name}: undisturbed", keep=False) as attempt:
        run = await interleave(testbed, Schedule(), [asked.send], replicas=[testbed.replicas[-1]])
        record(run.course, attempt)
        if run.course.stuck:
            raise Inconclusive(run.course.stuck)
        run.answers[0].expect(200, 201)
        if difference := await _differs(asked):
            raise Vulnerable(f"Undisturbed, {difference}.", _HINT)
    return power_cuts(run.course)[:_MOST]


async def _strike(kind: Kind, cuts: Sequence[Cut], merchant: Merchant, outages: Outages) -> None:
    """Make changes of a kind meet each of the cuts, one after another."""
    driven = 0
    for cut in cuts:
        asked = await Asked.of(kind, merchant)
        with probe(f"{kind.name}: {described(cut)}", keep=False) as attempt:
            again.keep(attempt, kind.name, Schedule(cut=cut))
            run = await outages.make(cut, asked.send)
            record(run.course, attempt)
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            driven += run.course.driven
            if difference := await _differs(asked):
                raise Vulnerable(f"{run.answers[0]}, when {described(cut)}: {difference}.", _HINT)
            await _sent_again(asked, outages.spare)
            if difference := await _differs(asked):
                raise Vulnerable(
                    f"When {described(cut)}, and the request was sent again: {difference}.", _HINT
                )
    with probe(f"{kind.name}: all power cuts") as attempt:
        attempt.note(f"Of {len(cuts)} power cuts {driven} were made.")
        if not driven:
            raise Inconclusive(f"The power could not be cut at any step of {kind.name}.")


async def _differs(asked: Asked) -> str:
    """How the changes under a request's reference and what is told of them differ, if they do."""
    deadline = asyncio.get_running_loop().time() + _PROMPT
    while (difference := await _difference(asked)) is not None:
        if asyncio.get_running_loop().time() > deadline:
            return difference
        await asyncio.sleep(_PAUSE)
    return ""


async def _difference(asked: Asked) -> str | None:
    made, told = await asked.made(), await asked.told()
    if made == told == await asked.made():
        return None
    return (
        f"the service shows {len(made)} {asked.kind.name} under one reference"
        f" ({', '.join(made) or 'none'}), and tells of {len(told)} by {asked.kind.event}"
        f" ({', '.join(told) or 'none'})"
    )


async def _sent_again(asked: Asked, replica: int) -> None:
    """Send it under its key until it has its answer; that it gets one is another check's matter."""
    deadline = asyncio.get_running_loop().time() + SETTLED
    answer = await asked.send(replica)
    while (lost(answer) or answer.failed) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(min(answer.retry_after or _PAUSE, 2.0))
        answer = await asked.send(replica)
