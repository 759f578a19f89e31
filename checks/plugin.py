"""The pytest plugin: collects checks, hands them their fixtures, and turns them into verdicts.

pytest finds the functions and resolves their fixtures; the scheduler decides when each runs. A
check's body is not run inside pytest's protocol but handed over by it (``pytest_pyfunc_call``), so
that many run at once in one event loop. Verdicts leave as JSON lines of ``CheckVerdict``.

    python -m checks -p checks.plugin -c checks/pytest.ini --assay-broker SOCKET checks
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from _pytest.runner import runtestprotocol

from checks.attachment import Bank, Fx, Names, Notifier, Psp, Receiver, Testbed
from checks.catalogue import select, validate
from checks.evidence import CheckVerdict, Verdict
from checks.fresh import Fresh
from checks.operations import Tenants
from checks.registry import Declaration, declaration_of
from checks.running import CheckRun
from checks.scheduler import PlanError, Planner, Scheduler
from checks.tenants import Merchant, Platform
from checks.testbed.control import Control

if importlib.util.find_spec("sniffio") is None:
    # httpcore looks for it at each request, and the search for a module that is not there is dear.
    sys.modules["sniffio"] = None  # type: ignore[assignment]

_BROKER_HELP = "the broker that lends testbeds; '-': read it from standard input when it is time"

_VERDICTS_HELP = "the descriptor that verdicts are written to, as JSON lines (default: 1, stdout)"

_RUN: pytest.StashKey[CheckRun] = pytest.StashKey()
_BODY: pytest.StashKey[Coroutine[Any, Any, None]] = pytest.StashKey()
_REPORT: pytest.StashKey[pytest.TestReport] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options by which the harness speaks to a session."""
    group = parser.getgroup("assay")
    group.addoption("--assay-broker", metavar="SOCKET", help=_BROKER_HELP)
    group.addoption("--assay-verdicts", type=int, default=1, metavar="FD", help=_VERDICTS_HELP)
    group.addoption("--assay-again", default="", metavar="JSON", help="the schedule to drive alone")
    group.addoption("--assay-seed", type=int, default=0, metavar="N", help="of all fresh values")
    group.addoption("--assay-flaws", default="", metavar="IDS", help="only these flaws' checks")
    group.addoption("--assay-checks", default="", metavar="IDS", help="only these checks")


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item] | None:
    """Collect the functions that are declared checks, and nothing else."""
    declaration = declaration_of(obj)
    if declaration is None or getattr(obj, "__module__", "") != collector.obj.__name__:
        return []
    return [pytest.Function.from_parent(collector, name=name)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the selected checks, and those that they need."""
    of_item = {item: _declaration(item) for item in items}
    declarations = tuple(of_item.values())
    validate(declarations)
    flaws = _names(config.getoption("--assay-flaws"))
    checks = _names(config.getoption("--assay-checks"))
    if not flaws and not checks:
        return
    known = {declaration.id for declaration in declarations}
    chosen = select(
        flaws=flaws, checks=[c for c in checks if c in known], contract=False, among=declarations
    )
    items[:] = [item for item in items if of_item[item].id in chosen]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run the collected checks in one event loop, and report each when it is decided."""
    if session.config.option.collectonly:
        return True
    items = {_declaration(item).id: item for item in session.items}
    out = session.config.getoption("--assay-verdicts")
    with open(out, "w", encoding="utf-8", buffering=1, closefd=False) as stream:

        def emit(verdict: CheckVerdict) -> None:
            stream.write(verdict.model_dump_json() + "\n")
            stream.flush()
            _log(items[verdict.check], verdict)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(session, items, emit))
    return True


async def _run(session: pytest.Session, items: dict[str, pytest.Item], emit: Any) -> None:
    socket = session.config.getoption("--assay-broker")
    if socket == "-":
        socket = sys.stdin.readline().strip()
    if not socket:
        raise pytest.UsageError("--assay-broker names the socket of a running broker")
    checks: dict[str, tuple[Declaration, Planner]] = {
        name: (_declaration(item), _planner(item)) for name, item in items.items()
    }
    seed, again = (session.config.getoption(f"--assay-{name}") for name in ("seed", "again"))
    async with await Control.connect(socket) as control:
        await Scheduler(control, checks, seed=seed, again=again, emit=emit).run()


def _planner(item: pytest.Item) -> Planner:
    def plan(run: CheckRun) -> Coroutine[Any, Any, None]:
        item.stash[_RUN] = run
        reports = runtestprotocol(item, log=False, nextitem=None)
        for report in reports:
            if report.skipped or hasattr(report, "wasxfail"):
                raise PlanError(f"The check was marked to be skipped or to fail ({report.when}).")
            if report.failed:
                raise PlanError(f"The check could not be prepared: {report.longreprtext[-1500:]}")
            if report.when == "call":
                item.stash[_REPORT] = report
        if _BODY not in item.stash:
            raise PlanError("The check has no body that could be run.")
        return item.stash[_BODY]

    return plan


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Hand the check's body over to the scheduler instead of running it."""
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    pyfuncitem.stash[_BODY] = pyfuncitem.obj(**arguments)
    return True


def _log(item: pytest.Item, verdict: CheckVerdict) -> None:
    """Tell pytest's own reporters, for people who run checks by hand."""
    report = item.stash.get(_REPORT, None)
    if report is None:
        report = pytest.TestReport(
            item.nodeid, item.location, {}, "failed", None, "call", duration=0.0
        )
    report.duration = verdict.seconds
    report.outcome = "passed" if verdict.verdict is Verdict.SECURE else "failed"
    if report.failed:
        report.longrepr = f"{verdict.check}: {verdict.verdict}: {verdict.because}"
    item.ihook.pytest_runtest_logreport(report=report)


def _declaration(item: pytest.Item) -> Declaration:
    declaration = declaration_of(getattr(item, "obj", None))
    if declaration is None:
        raise pytest.UsageError(f"{item.nodeid} is not a declared check")
    return declaration


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


# Fixtures ---------------------------------------------------------------------------------------


@pytest.fixture
def check_run(request: pytest.FixtureRequest) -> CheckRun:
    """The check under way."""
    run: CheckRun = request.node.stash[_RUN]
    return run


@pytest.fixture
def testbed(check_run: CheckRun) -> Testbed:
    """The running submission and all around it."""
    return check_run.testbed


@pytest.fixture
def source(testbed: Testbed) -> Path:
    """The folder of the submission as it was handed in: to be read as data, and never run."""
    return Path(testbed.lease.source)


@pytest.fixture
def psp(testbed: Testbed) -> Psp:
    """The PSP simulator."""
    return testbed.psp


@pytest.fixture
def fx(testbed: Testbed) -> Fx:
    """The FX simulator."""
    return testbed.fx


@pytest.fixture
def bank(testbed: Testbed) -> Bank:
    """The bank simulator."""
    return testbed.bank


@pytest.fixture
def notifier(testbed: Testbed) -> Notifier:
    """The notifier simulator."""
    return testbed.notifier


@pytest.fixture
def receiver(testbed: Testbed) -> Receiver:
    """The receiver simulator."""
    return testbed.receiver


@pytest.fixture
def names(testbed: Testbed) -> Names:
    """The name server simulator."""
    return testbed.names


@pytest.fixture
def fresh(check_run: CheckRun) -> Fresh:
    """Fresh values."""
    return check_run.fresh


@pytest.fixture
def platform(check_run: CheckRun) -> Platform:
    """The platform administrator."""
    return check_run.platform


@pytest.fixture
def alice(check_run: CheckRun) -> Merchant:
    """A merchant."""
    return check_run.merchant("alice")


@pytest.fixture
def bob(check_run: CheckRun) -> Merchant:
    """Another merchant."""
    return check_run.merchant("bob")


@pytest.fixture
def carol(check_run: CheckRun) -> Merchant:
    """A third merchant."""
    return check_run.merchant("carol")


@pytest.fixture
def tenants(check_run: CheckRun, alice: Merchant, bob: Merchant) -> Tenants:
    """Who takes part in the operations that need a key."""
    run = check_run
    return Tenants(alice, bob, run.platform, run.testbed.psp, run.fresh)


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, for people who run checks by hand."""
    return f"assay seed: {config.getoption('--assay-seed')}"
