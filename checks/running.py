"""One check on its way to a verdict: what it is handed, what it recorded, what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from checks.attachment import Testbed
from checks.evidence import CheckVerdict, Verdict
from checks.fresh import Fresh
from checks.probes import Recorder, recording
from checks.registry import Declaration
from checks.tenants import Merchant, Platform
from checks.verdicts import Broken, Decision, NotReached, Vulnerable

#: Characters of a reason that evidence keeps.
_REASON_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a check's body ended."""

    verdict: Verdict
    because: str = ""
    hint: str = ""
    blocked_by: str | None = None


def _failed(because: str) -> _Outcome:
    """The harness's own fault."""
    return _Outcome(Verdict.ERROR, because)


class CheckRun:
    """A check with its testbed; fixtures take what they hand out from here.

    ``asked`` are the ids of all checks that are run, ``again`` is the one schedule to drive.
    """

    def __init__(
        self,
        declaration: Declaration,
        testbed: Testbed,
        seed: int,
        asked: Collection[str] = (),
        again: str = "",
    ) -> None:
        self.declaration = declaration
        self._asked = asked
        self.testbed = testbed
        self.seed = seed
        self.fresh = Fresh(seed, declaration.id)
        self.recorder = Recorder(declaration.id, (testbed.lease.admin_token,), again)
        # Who neither drives a race nor has an outside side fail waits until the service has time.
        patient = declaration.flaw is None or not (
            declaration.exclusive or declaration.family == "resilience"
        )
        self.platform = Platform(
            testbed.connections, testbed.lease.admin_token, self.fresh, patient=patient
        )
        self._merchants: list[Merchant] = []

    def merchant(self, actor: str) -> Merchant:
        """A merchant that will be open when the check begins."""
        merchant = Merchant(
            actor, self.platform, Fresh(self.seed, f"{self.declaration.id}/{actor}")
        )
        self._merchants.append(merchant)
        return merchant

    async def decide(self, body: Coroutine[Any, Any, None]) -> CheckVerdict:
        """Run the check's body to its verdict; never raises for what the body does."""
        began = time.monotonic()
        outcome = await self._outcome(body)
        return ruling(
            self.declaration,
            outcome.verdict,
            outcome.because,
            hint=outcome.hint,
            blocked_by=outcome.blocked_by,
            seed=self.seed,
            seconds=time.monotonic() - began,
            recorder=self.recorder,
        )

    async def _outcome(self, body: Coroutine[Any, Any, None]) -> _Outcome:
        try:
            async with asyncio.timeout(self.declaration.limit) as scope:
                with recording(self.recorder):
                    for merchant in self._merchants:
                        await merchant.open()
                    await body
        except Decision as decision:
            if isinstance(decision, Vulnerable) and self.declaration.flaw is None:
                return _failed(f"A check of the contract said vulnerable: {decision}")
            return self._decided(decision)
        except asyncio.CancelledError:
            raise
        except TimeoutError as error:
            if scope.expired():
                return _failed(f"Not done within {self.declaration.limit:g} s.")
            return _failed(described(error))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return _failed(described(error))
        finally:
            body.close()
        return self._returned()

    def _decided(self, decision: Decision) -> _Outcome:
        """One fault is charged once: what belongs to another check that is run blocks this one."""
        if isinstance(decision, NotReached):
            because, blocked_by = decision.because, decision.blocked_by
            return _Outcome(decision.verdict, because, decision.hint, blocked_by)
        if isinstance(decision, Broken):
            owner = next((name for name in decision.unless if name in self._asked), None)
            if owner is not None:
                return _Outcome(Verdict.NOT_REACHED, decision.because, decision.hint, owner)
        return _Outcome(decision.verdict, decision.because, decision.hint)

    def _returned(self) -> _Outcome:
        """A check that returns is secure, if it tried anything."""
        recorder = self.recorder
        if not (recorder.exchanged if self.declaration.flaw is None else recorder.attacked):
            return _failed("The check returned without having sent anything in a probe.")
        return _Outcome(Verdict.SECURE)


def described(error: BaseException) -> str:
    """An unexpected exception, with the place that it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{place}"


def ruling(
    declaration: Declaration,
    verdict: Verdict,
    because: str = "",
    *,
    hint: str = "",
    blocked_by: str | None = None,
    seed: int = 0,
    seconds: float = 0.0,
    recorder: Recorder | None = None,
) -> CheckVerdict:
    """A verdict as evidence keeps it."""
    competencies = declaration.competencies
    if not competencies and declaration.flaw is None:
        competencies = ("api.contract",)
    mask = (lambda text: text) if recorder is None else recorder.masked
    return CheckVerdict(
        check=declaration.id,
        flaw=declaration.flaw,
        verdict=verdict,
        summary=declaration.summary,
        because=mask(because)[:_REASON_LIMIT],
        hint=hint,
        blocked_by=blocked_by,
        competencies=competencies,
        seed=seed,
        seconds=round(seconds, 3),
        probes=() if recorder is None else recorder.probes(),
    )
