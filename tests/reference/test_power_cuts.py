"""Wherever the power is cut, sending the request again brings its one effect about.

Each operation meets every cut that leaves something of its own behind: its connection to the
database is cut, or its replica is killed. What is shown in the end is what it comes to undisturbed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from checks.attachment import Testbed
from checks.canonical import canonical
from checks.client import Answer
from checks.contest import Contest, reading
from checks.evidence import Verdict
from checks.gathering import all_of
from checks.interleaving import Send, interleave
from checks.losers import lost
from checks.power_cuts import Outages, described, power_cuts
from checks.probes import probe
from checks.running import CheckRun
from checks.settings import SHORT_CLAIMS
from checks.testbed.driving.schedule import Cut, Schedule
from checks.verdicts import Vulnerable
from tests.reference import meeting
from tests.reference.meeting import Meeting, Operation
from tests.reference.standing import DECLARATION, SEED, standing, whole_sweep

SETTINGS = {**SHORT_CLAIMS, "RECONCILE_INTERVAL_SECONDS": "60"}

#: What the check of idempotency-restart cuts already; here only in a whole sweep.
CUT_ELSEWHERE = (
    meeting.sale,
    meeting.capture_of_another,
    meeting.refund_of_another,
    meeting.capture,
    meeting.void,
)

#: Every kind of money-moving request, and every step of a payout.
ALL: tuple[Operation, ...] = (
    *meeting.ON_AN_ACCOUNT,
    *meeting.ON_AN_AUTHORISED_PAYMENT,
    *meeting.ON_AN_UNCLEAR_CAPTURE,
    *meeting.ON_AN_AWAITING_PAYOUT[:3],
    *meeting.ON_A_RETURNED_PAYOUT,
    *meeting.ON_A_FAILED_PAYOUT[1:],
)

#: What asks and is answered all the same while another is at it: a cut leaves it to the worker.
ASKING = (meeting.sync_of_authorised, meeting.sync_of_unclear, meeting.sync_of_submitted)

OPERATIONS = [
    one for one in ALL if one not in ASKING and (whole_sweep() or one not in CUT_ELSEWHERE)
]

#: Contests that are prepared, and cuts that are under way, at a time.
AT_ONCE = 4

#: Requests under one key before it counts as stuck, and seconds between two.
TRIES, PAUSE = 20, 0.3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def testbed() -> AsyncIterator[Testbed]:
    """Three replicas of the reference, of which one is spared, and no worker."""
    async with standing(SETTINGS, replicas=3) as found:
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
async def test_a_cut_is_made_up_for_by_sending_again(
    testbed: Testbed, operation: Operation
) -> None:
    name = operation.__name__
    run = CheckRun(replace(DECLARATION, id=f"reference/{name} cut"), testbed, SEED)
    verdict = await run.decide(_cut_everywhere(run, operation))
    assert verdict.verdict is Verdict.SECURE, verdict.because


async def _cut_everywhere(run: CheckRun, operation: Operation) -> None:
    testbed = run.testbed
    spare = testbed.replicas[-1]
    opened = await Meeting.open(run, spare)

    async def fresh() -> Contest:
        return await opened.contest((operation,), 1)

    undisturbed = await fresh()
    with probe("undisturbed"):
        alone = await interleave(testbed, Schedule(), undisturbed.requests, replicas=[spare])
        assert alone.answers[0].ok, alone.answers[0]
        wanted = canonical((), await undisturbed.view())
    cuts = power_cuts(alone.course)
    assert cuts
    contests = await all_of((fresh() for _ in cuts), AT_ONCE)
    driven: list[bool] = []
    async with Outages.on(testbed, reading(opened.alice, opened.euros)) as outages:

        async def struck(cut: Cut, contest: Contest) -> None:
            with probe(described(cut)):
                met = await outages.make(cut, contest.requests[0])
                driven.append(met.course.driven)
                last = await _resolved(contest.requests[0], spare)
                shown = canonical((), await contest.view())
                if shown != wanted:
                    raise Vulnerable(f"{last}, and in the end {shown} instead of {wanted}.")

        pairs = zip(cuts, contests, strict=True)
        await all_of((struck(cut, contest) for cut, contest in pairs), AT_ONCE)
    assert any(driven)


async def _resolved(send: Send, spare: int) -> Answer:
    """The answer to the same request at a replica that lives, as soon as there is one."""
    for _ in range(TRIES):
        answer = await send(spare)
        if not (answer.failed or lost(answer)):
            return answer
        await asyncio.sleep(PAUSE)
    raise Vulnerable(f"{answer}, {TRIES} times.")
