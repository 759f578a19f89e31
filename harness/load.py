"""The load of a grading: the submission beside the reference, each in a testbed of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from checks.evidence import LoadReport
from checks.load import drive
from checks.load.profile import Target
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.testbed import Host, Submission
from exercises.exercise import Exercise
from exercises.tree import reference_tree
from harness.session import prepared


async def compare(
    host: Host,
    submission: Submission,
    exercise: Exercise,
    profile: Literal["quick", "full"],
    seed: int,
) -> LoadReport:
    """Drives both; raises ``SubmissionError`` where the submission does not start again."""
    async with (
        _target(submission) as ours,
        prepared(host, reference_tree(exercise.track)) as reference,
        _target(reference) as theirs,
    ):
        return await drive.drive(ours, theirs, profile, seed)


@asynccontextmanager
async def _target(submission: Submission) -> AsyncIterator[Target]:
    """A fresh testbed: what the checks have left behind in theirs would slow it down."""
    async with (
        Broker.open(submission) as broker,
        await Control.connect(broker.socket) as control,
    ):
        lease = await control.lease("exclusive")
        yield Target(replicas=lease.replicas, admin_token=lease.admin_token)
