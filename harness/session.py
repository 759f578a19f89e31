"""A submission, prepared and lent out: what every command that runs checks goes through.

async with (
    checking(names, seed) as check,
    prepared(host, tree) as submission,
    session(submission) as lent,
):
    async for verdict in check(lent):
        ...
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from checks.catalogue import catalogue
from checks.evidence import CheckVerdict, LogTail
from checks.runner import Runner
from checks.testbed.broker import Broker
from checks.testbed.control import Control, Ending
from checks.testbed.lease import Lease
from checks.testbed.testbed import Host, Submission
from exercises.tree import Tree, write_tree


@dataclass(frozen=True, slots=True)
class Session:
    """A submission whose testbeds can be borrowed; ``shared`` is up, and kept so."""

    broker: Broker
    control: Control
    shared: Lease

    async def endings(self) -> tuple[Ending, ...]:
        """The processes of the service that have ended though nobody ended them."""
        return await self.control.endings()

    async def logs(self) -> tuple[LogTail, ...]:
        """The end of what each process of the shared testbed has printed."""
        return await self.control.logs(self.shared)


#: Runs the checks it was made for on a session, and gives each verdict as it is reached.
Check = Callable[[Session], AsyncIterator[CheckVerdict]]


def fresh_seed() -> int:
    """A seed that nobody can foresee."""
    return secrets.randbelow(2**31)


@asynccontextmanager
async def checking(names: Sequence[str], seed: int, again: str = "") -> AsyncIterator[Check]:
    """Starts what runs these checks, and gives the function that runs them.

    Opened first, it starts while the submission is made ready. With a probe's schedule ``again``,
    checks that drive schedules drive that one alone.
    """
    async with Runner.launch(names, seed, again=again, declarations=catalogue()) as runner:
        yield lambda lent: runner.verdicts(lent.broker.socket)


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
