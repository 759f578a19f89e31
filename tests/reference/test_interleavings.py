"""Whatever moves money in the reference does at once what it does one after the other.

By default each operation meets the next one of its object; in a whole sweep every pair of them
meets, and each itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations_with_replacement

import pytest
import pytest_asyncio

from checks.attachment import Testbed
from checks.evidence import Verdict
from checks.explorer import explore
from checks.judging import Judge
from checks.running import CheckRun
from checks.settings import NO_WORKER
from tests.reference import meeting
from tests.reference.meeting import Meeting, Operation
from tests.reference.standing import DECLARATION, SEED, standing, whole_sweep

#: The outcomes of calls are made unknown on purpose.
SETTINGS = {**NO_WORKER, "BREAKER_FAILURES": "1000", "PSP_MAX_ATTEMPTS": "1"}

OBJECTS = {
    "account": meeting.ON_AN_ACCOUNT,
    "authorised payment": meeting.ON_AN_AUTHORISED_PAYMENT,
    "captured payment": meeting.ON_A_CAPTURED_PAYMENT,
    "unclear capture": meeting.ON_AN_UNCLEAR_CAPTURE,
    "awaiting payout": meeting.ON_AN_AWAITING_PAYOUT,
    "paid payout": meeting.ON_A_PAID_PAYOUT,
    "failed payout": meeting.ON_A_FAILED_PAYOUT,
    "returned payout": meeting.ON_A_RETURNED_PAYOUT,
}


def pairs(operations: Sequence[Operation]) -> list[tuple[Operation, Operation]]:
    """Those that meet."""
    if whole_sweep():
        return list(combinations_with_replacement(operations, 2))
    following = (*operations[1:], operations[0])
    return list(zip(operations, following, strict=True))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def testbed() -> AsyncIterator[Testbed]:
    """Two replicas of the reference, and no worker."""
    async with standing(SETTINGS) as found:
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("what", OBJECTS)
async def test_what_meets_does_what_it_does_in_turn(testbed: Testbed, what: str) -> None:
    for pair in pairs(OBJECTS[what]):
        names = " and ".join(operation.__name__ for operation in pair)
        run = CheckRun(replace(DECLARATION, id=f"reference/{what}: {names}"), testbed, SEED)

        async def body(
            run: CheckRun = run,
            pair: tuple[Operation, Operation] = pair,
            names: str = names,
        ) -> None:
            opened = await Meeting.open(run)
            prepare = partial(opened.contest, pair)
            figures = await explore(testbed, prepare, names, Judge(""))
            assert figures.driven > 0

        verdict = await run.decide(body())
        assert verdict.verdict is Verdict.SECURE, f"{what}: {names}: {verdict.because}"
