"""The checks of race flaws, run over and over on each variant, without a pytest session around.

A service is started once for each check, and again where a run leaves it unfit for the next; each
run has merchants and amounts of its own.
"""

import asyncio
import contextlib
import importlib
import inspect
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from checks.attachment import Testbed
from checks.catalogue import files
from checks.evidence import PRECEDENCE, CheckVerdict, Verdict
from checks.operations import Tenants
from checks.registry import Declaration, declaration_of
from checks.running import CheckRun
from checks.settings import PATIENT_CLAIMS
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.errors import SubmissionError
from checks.testbed.lease import SHARED_SETTINGS
from checks.testbed.testbed import Host, Submission
from exercises.tree import Tree, write_tree
from harness.matrix import Planned
from harness.session import fresh_seed

#: The flaws whose checks drive requests step by step.
RACES = (
    "transfer-double-spend",
    "over-refund-race",
    "capture-twice",
    "account-lost-update",
    "transfer-deadlock",
    "serialization-500",
    "idempotency-claim-race",
    "idempotency-restart",
)

#: What a benchmark runs as a check, to have a testbed and merchants as one has.
BENCH = Declaration("bench/own", "bench", None, "", settings=PATIENT_CLAIMS, exclusive=True)


@dataclass(frozen=True)
class Check:
    """A check, to be run without pytest."""

    declaration: Declaration
    body: Callable[..., Coroutine[Any, Any, None]]

    @property
    def id(self) -> str:
        """Its id."""
        return self.declaration.id

    def begin(self, run: CheckRun) -> Coroutine[Any, Any, None]:
        """Its body, with all that it asks for, as ``checks.plugin`` hands it out."""
        wanted = set(inspect.signature(self.body).parameters)
        actors = wanted & {"alice", "bob", "carol"}
        if "tenants" in wanted:
            actors |= {"alice", "bob"}
        merchants = {name: run.merchant(name) for name in sorted(actors)}
        given: dict[str, Any] = {
            **merchants,
            "testbed": run.testbed,
            "source": Path(run.testbed.lease.source),
            "psp": run.testbed.psp,
            "fx": run.testbed.fx,
            "bank": run.testbed.bank,
            "notifier": run.testbed.notifier,
            "receiver": run.testbed.receiver,
            "names": run.testbed.names,
            "fresh": run.fresh,
            "platform": run.platform,
        }
        if "tenants" in wanted:
            alice, bob = merchants["alice"], merchants["bob"]
            given["tenants"] = Tenants(alice, bob, run.platform, run.testbed.psp, run.fresh)
        return self.body(**{name: given[name] for name in wanted})


@dataclass
class Row:
    """What came of the runs of one variant: a verdict and seconds for each."""

    planned: Planned
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    because: str = ""

    @property
    def wrong(self) -> int:
        """How many came out otherwise than expected."""
        return sum(verdict is not self.planned.expected for verdict in self.verdicts)

    @property
    def median(self) -> float:
        """Seconds of a run."""
        return statistics.median(self.seconds)


@cache
def checks_of(flaw: str) -> tuple[Check, ...]:
    """The flaw's own checks."""
    modules = (
        importlib.import_module(f"checks.{path.parent.name}.{path.stem}") for path in files()
    )
    functions = (value for module in modules for value in vars(module).values())
    declared = ((declaration_of(function), function) for function in functions)
    return tuple(Check(one, body) for one, body in declared if one is not None and one.flaw == flaw)


@contextlib.asynccontextmanager
async def prepared(host: Host, tree: Tree) -> AsyncIterator[Control]:
    """A submission, ready to be started."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        write_tree(tree, Path(name) / "submission")
        async with (
            Submission.prepare(host, Path(name) / "submission") as submission,
            Broker.open(submission) as broker,
            await Control.connect(broker.socket) as control,
        ):
            yield control


@contextlib.asynccontextmanager
async def started(control: Control, declaration: Declaration) -> AsyncIterator[Testbed]:
    """A testbed as a check wants it, whether it would share one or not."""
    settings = declaration.settings if declaration.exclusive else SHARED_SETTINGS
    lease = await control.lease(
        "exclusive",
        worker=declaration.worker,
        settings=dict(settings),
        replicas=declaration.replicas,
    )
    testbed = Testbed(control, lease)
    try:
        yield testbed
    finally:
        await testbed.close()
        await control.release(lease)


async def apart(testbed: Testbed, body: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """Run something as a check is run. Raises ``RuntimeError`` where it does not succeed."""
    attempt = CheckRun(BENCH, testbed, fresh_seed())
    verdict = await attempt.decide(Check(BENCH, body).begin(attempt))
    if verdict.verdict is not Verdict.SECURE:
        raise RuntimeError(verdict.because)


@dataclass
class Stand:
    """A check and its testbed, which serves one run after another for as long as it is fit to.

    ``asked`` are the checks that are taken to be run besides; those of the same flaw, if not given.
    """

    control: Control
    check: Check
    asked: Sequence[str] = ()
    held: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _testbed: Testbed | None = None

    async def verdict(self) -> CheckVerdict:
        """Of one run."""
        if self._testbed is None:
            new = started(self.control, self.check.declaration)
            self._testbed = await self.held.enter_async_context(new)
        testbed, declaration = self._testbed, self.check.declaration
        asked = self.asked or [one.id for one in checks_of(declaration.flaw or "")]
        run = CheckRun(declaration, testbed, fresh_seed(), asked)
        verdict = await run.decide(self.check.begin(run))
        await testbed.lift()
        if testbed.spoiled or testbed.killed:
            await self.held.aclose()
            self._testbed = None
        return verdict


async def repeat(control: Control, row: Row, runs: int) -> None:
    """Run the flaw's checks so many times, and add what they come to together to the row.

    A run of flawed code is over when a check has found it, and that one goes first in the next run.
    """
    stands = [Stand(control, check) for check in checks_of(row.planned.flaw.id)]
    try:
        async with contextlib.AsyncExitStack() as stack:
            for stand in stands:
                await stack.enter_async_context(stand.held)
            for _ in range(runs):
                found, seconds = Verdict.SECURE, 0.0
                for stand in tuple(stands):
                    verdict = await stand.verdict()
                    found = min(found, verdict.verdict, key=PRECEDENCE.index)
                    seconds += verdict.seconds
                    if verdict.verdict not in (Verdict.SECURE, row.planned.expected):
                        row.because = verdict.because
                    if found is row.planned.expected is Verdict.VULNERABLE:
                        stands.remove(stand)
                        stands.insert(0, stand)
                        break
                row.verdicts.append(found)
                row.seconds.append(seconds)
    except SubmissionError as failure:
        row.verdicts.append(Verdict.BROKEN)
        row.seconds.append(0.0)
        row.because = str(failure)


async def measure(host: Host, planned: Planned, runs: int, room: asyncio.Semaphore) -> Row:
    """A variant's row."""
    row = Row(planned)
    async with room, prepared(host, planned.tree()) as control:
        await repeat(control, row, runs)
    return row
