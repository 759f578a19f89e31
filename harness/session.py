"""A submission, prepared and lent out: what every command that runs checks goes through."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from checks.catalogue import catalogue
from checks.evidence import CheckVerdict, LogTail
from checks.runner import run_checks
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.lease import Lease
from checks.testbed.testbed import Host, Submission
from exercises.tree import Tree, write_tree


@dataclass(frozen=True, slots=True)
class Session:
    """A submission whose testbeds can be borrowed; ``shared`` is up, and kept so."""

    broker: Broker
    control: Control
    shared: Lease

    async def run(self, names: Sequence[str], seed: int) -> AsyncIterator[CheckVerdict]:
        """Runs these checks, and gives each verdict as it is reached."""
        async for verdict in run_checks(self.broker.socket, names, seed, declarations=catalogue()):
            yield verdict

    async def logs(self) -> tuple[LogTail, ...]:
        """The end of what each process of the shared testbed has printed."""
        return await self.control.logs(self.shared)


@asynccontextmanager
async def prepared(host: Host, tree: Tree) -> AsyncIterator[Submission]:
    """A tree written into a private folder, its environment, build and database made ready.

    Raises ``SubmissionError``.
    """
    with tempfile.TemporaryDirectory(prefix="assay-submission-") as name:
        folder = Path(name) / "submission"
        write_tree(tree, folder)
        async with Submission.prepare(host, folder) as submission:
            yield submission


@asynccontextmanager
async def session(
    submission: Submission, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Session]:
    """The submission's broker, with the shared testbed up.

    Raises ``SubmissionError`` where the service does not start.
    """
    async with (
        Broker.open(submission) as broker,
        await Control.connect(broker.socket) as control,
    ):
        yield Session(broker, control, await control.lease("shared"))
