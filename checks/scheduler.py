"""The order of checks: needs first, shared ones together, exclusive ones apart.

All checks run in one event loop, because they spend their time waiting for the submission. A check
starts when the contract checks that it needs are secure and there is room. Shared checks use one
testbed together. An exclusive check has a testbed to itself while it runs; when it leaves it sound,
the next one that wants the same settings takes it over: starting one costs more than a check does.
The shared testbed goes the same way in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any

from checks.attachment import Testbed
from checks.evidence import CheckVerdict, Verdict
from checks.garage import Garage
from checks.registry import Declaration
from checks.running import CheckRun, described, ruling
from checks.testbed.control import Control
from checks.testbed.errors import SubmissionError, TestbedError
from checks.testbed.lease import SHARED_SETTINGS

#: Shared checks under way at a time. More only makes each wait longer: the submission's processes
#: are what takes the time.
SHARED_AT_ONCE = 4

#: Verdicts after which a testbed is as good as before.
_SOUND = frozenset({Verdict.SECURE, Verdict.VULNERABLE, Verdict.INCONCLUSIVE, Verdict.NOT_REACHED})

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
        again: str = "",
        emit: Callable[[CheckVerdict], None],
    ) -> None:
        self._control = control
        self._checks = checks
        self._seed = seed
        self._again = again
        self._emit = emit
        self._shared_room = asyncio.Semaphore(SHARED_AT_ONCE)
        self._needed = {need for declaration, _ in checks.values() for need in declaration.needs}
        declarations = [declaration for declaration, _ in checks.values()]
        self._sharing = sum(not declaration.exclusive for declaration in declarations)
        self._garage = Garage(control, declarations, SHARED_SETTINGS if self._sharing else None)
        self._shared: asyncio.Task[Testbed] | None = None
        self._sound = True
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
            await self._garage.close()
            if self._shared is not None:
                await asyncio.gather(self._close_shared(), return_exceptions=True)

    async def _settle(self, name: str) -> None:
        declaration, planner = self._checks[name]
        try:
            verdict = await self._blocked(declaration) or await self._attempt(declaration, planner)
        except Exception as error:
            verdict = ruling(declaration, Verdict.ERROR, described(error), seed=self._seed)
        if declaration.exclusive:
            await self._garage.done(declaration)
        else:
            await self._shared_by_one_less(verdict)
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
        try:
            if declaration.exclusive:
                async with self._garage.testbed(declaration) as borrowed:
                    verdict = await self._decide(declaration, planner, borrowed.testbed)
                    borrowed.sound = verdict.verdict in _SOUND and not borrowed.testbed.spoiled
                    return verdict
            async with self._room(declaration):
                if self._shared is None:
                    self._shared = asyncio.create_task(self._attach_shared())
                return await self._decide(declaration, planner, await asyncio.shield(self._shared))
        except PlanError as error:
            return ruling(declaration, Verdict.ERROR, str(error), seed=self._seed)
        except SubmissionError as error:
            return ruling(declaration, Verdict.BROKEN, str(error), seed=self._seed)
        except TestbedError as error:
            return ruling(declaration, Verdict.ERROR, str(error), seed=self._seed)

    def _room(self, declaration: Declaration) -> AbstractAsyncContextManager[object]:
        """What others wait for does not wait for room."""
        return nullcontext() if declaration.id in self._needed else self._shared_room

    async def _decide(
        self, declaration: Declaration, planner: Planner, testbed: Testbed
    ) -> CheckVerdict:
        run = CheckRun(declaration, testbed, self._seed, self._checks, self._again)
        return await run.decide(planner(run))

    async def _shared_by_one_less(self, verdict: CheckVerdict) -> None:
        """Hand the shared testbed on after the last check that shares it."""
        self._sharing -= 1
        self._sound &= verdict.verdict in _SOUND
        if self._sharing:
            return
        lease = None
        if self._shared is not None and self._shared.done() and not self._shared.exception():
            testbed = self._shared.result()
            with suppress(TestbedError):
                await testbed.lift()
                if self._sound and not testbed.spoiled and not testbed.killed:
                    lease = testbed.lease
        self._garage.hand_on(lease)

    async def _attach_shared(self) -> Testbed:
        return Testbed(self._control, await self._control.lease("shared"))

    async def _close_shared(self) -> None:
        if self._shared is not None:
            testbed = await self._shared
            await testbed.close()
            await self._control.release(testbed.lease)
