"""The reference, started as a submission is, for tests that drive it step by step."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from checks.attachment import Testbed
from checks.registry import Declaration
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.testbed import Host, Submission

REFERENCE = Path(__file__).parents[2] / "reference" / "fastapi"

SEED = 7

#: What is fresh depends on the id, so each run has one of its own.
DECLARATION = Declaration(
    id="reference",
    family="reference",
    flaw="any",
    summary="The reference does as the contract says.",
    exclusive=True,
)


def whole_sweep() -> bool:
    """Whether everything is to be tried, which takes minutes: ``make sweep`` asks for it."""
    return os.environ.get("ASSAY_SWEEP") == "all"


@asynccontextmanager
async def standing(settings: Mapping[str, str], *, replicas: int = 2) -> AsyncIterator[Testbed]:
    """So many replicas of the reference, with these settings and without its worker."""
    async with (
        Host.open(trusted=True) as host,
        Submission.prepare(host, REFERENCE) as submission,
        Broker.open(submission) as broker,
        await Control.connect(broker.socket) as control,
    ):
        lease = await control.lease("exclusive", worker=False, settings=settings, replicas=replicas)
        found = Testbed(control, lease)
        yield found
        await found.close()
