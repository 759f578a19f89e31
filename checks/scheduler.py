"""The order of checks: needs first, shared ones together, exclusive ones apart.

All checks run in one event loop, because they spend their time waiting for the submission. A check
starts when the contract checks that it needs are secure and there is room: shared checks use one
testbed together, each exclusive check borrows one of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from checks.attachment import Testbed
from checks.evidence import CheckVerdict, Verdict
from checks.registry import Declaration
from checks.running import CheckRun, described, ruling
from checks.testbed.control import Control
from checks.testbed.errors import SubmissionError, TestbedError
from checks.testbed.lease import Lease

#: Shared checks, and exclusive ones, under way at a time. More only makes each wait longer: the
#: submission's processes are what takes the time.
SHARED_AT_ONCE = 6
EXCLUSIVE_AT_ONCE = 3

#: Makes the body of a check for its run; raises ``PlanError`` if the check is not to be run.
Planner = Callable[[CheckRun], Coroutine[Any, Any, None]]


class PlanError(Exception):
    """pytest would not run this check: it was skipped, marked, or its fixtures failed."""


class Scheduler:
    """Runs the checks of one session; ``emit`` is given each verdict as it is reached."""

    def __init__(
        self,
        control: Control,
        checks: Mapping[str, tuple[Declaration, Planner]],
        *,
        seed: int,
        emit: Callable[[CheckVerdict], None],
    ) -> None:
        self._control = control
        self._checks = checks
        self._seed = seed
        self._emit = emit
        self._shared_room = asyncio.Semaphore(SHARED_AT_ONCE)
        self._exclusive_room = asyncio.Semaphore(EXCLUSIVE_AT_ONCE)
        self._shared: asyncio.Task[Testbed] | None = None
        self._verdicts: dict[str, asyncio.Future[CheckVerdict]] = {}

    async def run(self) -> None:
        """Bring every check to a verdict."""
        loop = asyncio.get_running_loop()
        self._verdicts = {name: loop.create_future() for name in self._checks}
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._checks:
                    group.create_task(self._settle(name), name=name)
        finally:
            if self._shared is not None:
                await asyncio.gather(self._close_shared(), return_exceptions=True)

    async def _settle(self, name: str) -> None:
        declaration, planner = self._checks[name]
        try:
            verdict = await self._blocked(declaration) or await self._attempt(declaration, planner)
        except Exception as error:
            verdict = ruling(declaration, Verdict.ERROR, described(error), seed=self._seed)
        self._verdicts[name].set_result(verdict)
        self._emit(verdict)

    async def _blocked(self, declaration: Declaration) -> CheckVerdict | None:
        """``not reached``, if a prerequisite is not secure; names the check at the root of it."""
        for need in declaration.needs:
            if need not in self._verdicts:
                return ruling(declaration, Verdict.ERROR, f"{need}, which it needs, was not run.")
            verdict = await self._verdicts[need]
            if verdict.verdict is not Verdict.SECURE:
                root = verdict.blocked_by or verdict.check
                return ruling(
                    declaration,
                    Verdict.NOT_REACHED,
                    f"It builds on {root}, which is {self._verdict_of(root)}.",
                    blocked_by=root,
                    seed=self._seed,
                )
        return None

    def _verdict_of(self, name: str) -> str:
        found = self._verdicts.get(name)
        return str(found.result().verdict) if found is not None and found.done() else "unknown"

    async def _attempt(self, declaration: Declaration, planner: Planner) -> CheckVerdict:
        room = self._exclusive_room if declaration.exclusive else self._shared_room
        async with room:
            try:
                async with self._testbed(declaration) as testbed:
                    run = CheckRun(declaration, testbed, self._seed)
                    return await run.decide(planner(run))
            except PlanError as error:
                return ruling(declaration, Verdict.ERROR, str(error), seed=self._seed)
            except SubmissionError as error:
                return ruling(declaration, Verdict.BROKEN, str(error), seed=self._seed)
            except TestbedError as error:
                return ruling(declaration, Verdict.ERROR, str(error), seed=self._seed)

    @asynccontextmanager
    async def _testbed(self, declaration: Declaration) -> AsyncIterator[Testbed]:
        if not declaration.exclusive:
            if self._shared is None:
                self._shared = asyncio.create_task(self._attach_shared())
            yield await asyncio.shield(self._shared)
            return
        lease = await self._control.lease(
            "exclusive", worker=declaration.worker, settings=declaration.settings
        )
        testbed = Testbed(self._control, lease)
        try:
            yield testbed
        finally:
            await testbed.close()
            await self._release(lease)

    async def _attach_shared(self) -> Testbed:
        return Testbed(self._control, await self._control.lease("shared"))

    async def _close_shared(self) -> None:
        if self._shared is not None:
            testbed = await self._shared
            await testbed.close()
            await self._release(testbed.lease)

    async def _release(self, lease: Lease) -> None:
        await self._control.release(lease)
