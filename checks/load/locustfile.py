"""Locust's side of the load: users that walk through the slices of a plan in step.

Started by ``drive`` with the plan's path in ``ASSAY_LOAD_PLAN``. All users drive one side at a
time: a slice begins when the last answer of the one before has come, so the two services never
share the machine, and a drift of the machine meets both alike.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from locust import FastHttpUser, constant, events, task
from locust.contrib.fasthttp import FastHttpSession

from checks.load.profile import REQUEST_SECONDS, Driven, Operation, Plan, Results, Sample, Side
from checks.load.session import Session, WrongAnswer

_ANY_STATUS = frozenset(range(1000))
_SIDES: tuple[Side, Side] = ("reference", "submission")


class Conductor:
    """Keeps the users in step, and what they measured."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.began = time.perf_counter()
        self.driven: list[Driven] = []
        self.samples: list[Sample] = []
        self.failure: str | None = None
        self._gate = Event()
        self._waiting = 0
        self._numbers = iter(range(plan.users))

    def number(self) -> int:
        """The number of the next user."""
        return next(self._numbers)

    def now(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.began

    def meet(self) -> None:
        """Wait until every user has come here; the last one opens the next slice."""
        gate = self._gate
        self._waiting += 1
        if self._waiting < self.plan.users:
            gate.wait()
            return
        self._waiting = 0
        self._gate = Event()
        self._open()
        gate.set()

    def _open(self) -> None:
        if self.failure or len(self.driven) == len(self.plan.slices):
            return
        if self.driven and not self._answered(len(self.driven) - 1):
            side = self.driven[-1].side
            self.failure = f"The {side} gave no correct answer in a whole slice of the load."
            return
        planned = self.plan.slices[len(self.driven)]
        now = self.now()
        self.driven.append(
            Driven(
                side=planned.side, pair=planned.pair, started=now, deadline=now + planned.seconds
            )
        )

    def _answered(self, index: int) -> bool:
        return any(not s.problem for s in reversed(self.samples) if s.slice == index)

    def record(self, index: int, operation: Operation, seconds: float, problem: str) -> None:
        """Keep one sample of a slice."""
        self.samples.append(
            Sample(
                slice=index,
                operation=operation,
                ended=self.now(),
                seconds=seconds,
                problem=problem,
            )
        )

    def finish(self) -> None:
        """Write what was measured where the plan says."""
        results = Results(
            slices=tuple(self.driven),
            samples=tuple(self.samples),
            failure=self.failure,
            cpu=time.process_time(),
        )
        Path(self.plan.results).write_text(results.model_dump_json(), encoding="utf-8")


@events.init.add_listener  # type: ignore[untyped-decorator]
def _read_plan(environment: Any, **_: Any) -> None:
    plan = Path(os.environ["ASSAY_LOAD_PLAN"]).read_text(encoding="utf-8")
    environment.conductor = Conductor(Plan.model_validate_json(plan))


class MerchantUser(FastHttpUser):
    """One merchant on each side, busy without a pause while its side's slice lasts."""

    host = "http://127.0.0.1"
    wait_time = constant(0)

    @task
    def work(self) -> None:
        """The whole run: prepare, walk through the slices, compare the books."""
        conductor: Conductor = self.environment.conductor
        current = [0]
        number = conductor.number()

        def record(operation: Operation, seconds: float, problem: str) -> None:
            conductor.record(current[0], operation, seconds, problem)

        sessions: dict[Side, Session] = {}
        for side in _SIDES:
            # One seed for both sides: they are asked for the same things in the same order.
            chance = random.Random(f"load {conductor.plan.seed} {number}")  # noqa: S311
            target = getattr(conductor.plan, side)
            sessions[side] = Session(target, self._client(), chance, record)
            try:
                sessions[side].prepare()
            except (WrongAnswer, KeyError, TypeError, ValueError, IndexError) as error:
                conductor.failure = f"The load could not be prepared on the {side}: {error!s:.200}."
        for index, planned in enumerate(conductor.plan.slices):
            conductor.meet()
            if conductor.failure:
                break
            current[0] = index
            while conductor.now() < conductor.driven[index].deadline:
                sessions[planned.side].step()
        conductor.meet()
        if not conductor.failure:
            for side in _SIDES:
                last = max(i for i, s in enumerate(conductor.plan.slices) if s.side == side)
                current[0] = last
                sessions[side].settle()
        conductor.meet()
        if number == 0:
            conductor.finish()
            # Quitting ends this greenlet too, so it has to be another's work.
            gevent.spawn(self.environment.runner.quit)
        Event().wait()  # until the runner ends this user

    def _client(self) -> FastHttpSession:
        """A client that keeps no cookies and gives up in time."""
        client = FastHttpSession(
            base_url=self.host,
            request_event=self.environment.events.request,
            user=None,
            network_timeout=REQUEST_SECONDS,
            connection_timeout=REQUEST_SECONDS,
        )
        client.client.cookiejar = None
        # Otherwise the body of an error is read whole, without our bounds, to be shown.
        client.client.valid_response_codes = _ANY_STATUS  # type: ignore[misc]
        return client
