"""Walks the interleavings of two requests, and holds each outcome against the serial ones.

    await explore(testbed, prepare, what="transfer")

Whatever two requests do at once must be what they do one after the other, in some order; each order
is run three times on the same submission, so that the oracle is the submission's own. Besides, a
contest states what must hold in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from checks.attachment import Testbed
from checks.canonical import canonical
from checks.client import Answer
from checks.contest import Contest, Prepare
from checks.interleaving import Run, interleave
from checks.lanes import brief, record
from checks.losers import follow_up, unfailed
from checks.probes import probe
from checks.schedules import Solo, one_preemption, two_preemptions
from checks.tables import has_functions
from checks.testbed.driving.schedule import Interleaving, Place, Schedule
from checks.verdicts import Inconclusive, Vulnerable

#: How often each serial order is run.
_SERIAL_RUNS = 3

#: Runs of an order after which its steps must have been the same twice in a row.
_WARM_UP = 6

#: Contests that are prepared at a time.
_AT_ONCE = 6

#: Schedules of one preemption that are run: all, but for a request of absurdly many statements.
ONE_PREEMPTION = 200

#: Schedules of two preemptions that are run.
TWO_PREEMPTIONS = 6


@dataclass(slots=True)
class Figures:
    """How many schedules there are, were run, came out as asked, and took different courses.

    ``contended`` are the tables that a request looks at and later writes. ``opaque`` says that
    there is more to interrupt than the ends of statements: a statement that looks and writes in
    itself, a function of the service's own in the database, a schedule that could not be driven, or
    nothing that could.
    """

    exist: int = 0
    run: int = 0
    driven: int = 0
    courses: set[tuple[tuple[int, str], ...]] = field(default_factory=set)
    contended: frozenset[str] = frozenset()
    opaque: bool = False

    def __str__(self) -> str:
        return (
            f"Of {self.exist} schedules {self.run} were run, {self.driven} of them as asked;"
            f" {len(self.courses)} took different courses."
        )


class _Exploration:
    """``settled`` while runs of one serial order come to the same; else rules alone decide."""

    def __init__(self, testbed: Testbed, prepare: Prepare, what: str, hint: str) -> None:
        self._testbed = testbed
        self._prepare = prepare
        self._what = what
        self._hint = hint
        self._outcomes: set[str] = set()
        self.settled = True
        self._ready: list[Contest] = []
        self.figures = Figures()

    async def solos(self) -> list[Solo]:
        """Run each serial order, until its first request's steps are the same twice."""
        found = []
        for first in (0, 1):
            outcomes: list[str] = []
            before: Solo | None = None
            for attempt in range(1, _WARM_UP + 1):
                solo, outcome = await self._in_turn(first)
                outcomes.append(outcome)
                if solo == before and attempt >= _SERIAL_RUNS:
                    break
                before = solo
            found.append(solo)
            self._outcomes.update(outcomes)
            self.settled &= len(set(outcomes)) == 1
        return found

    async def _fresh(self) -> Contest:
        """A contest that was not run yet; several are prepared at a time, which is quicker."""
        if not self._ready:
            self._ready += await asyncio.gather(*(self._prepare(2) for _ in range(_AT_ONCE)))
        return self._ready.pop(0)

    async def _in_turn(self, first: int) -> tuple[Solo, str]:
        """One request, and when it has ended, the other: the first one's steps, the outcome."""
        contest = await self._fresh()
        with probe(f"{self._what}: request {first + 1}, then the other", keep=False) as attempt:
            runs: dict[int, Run] = {}
            for number in (first, 1 - first):
                request = contest.requests[number]
                runs[number] = await interleave(
                    self._testbed, Schedule(), [request], replicas=[number]
                )
                record(runs[number].course, attempt)
                if stuck := runs[number].course.stuck:
                    raise Inconclusive(stuck)
            final = await _followed_up(contest, [runs[number].answers[0] for number in (0, 1)])
            view = await contest.view()
            contest.verify(final, view)
        return Solo.of(runs[first].course, first), canonical(final, view)

    async def walk(self, schedules: Iterable[Schedule]) -> dict[Place, Interleaving]:
        """Run schedules; raises ``Vulnerable`` at the first whose outcome is not right.

        Gives the course of each by its first switch.
        """
        courses = {}
        for schedule in schedules:
            places = [one.before for one in schedule.switches]
            title = ", then ".join(
                f"request {place.thread + 1} stopped before {brief(place.shape)}"
                for place in places
            )
            run = await self._run(schedule, title)
            self.figures.run += 1
            self.figures.driven += run.course.driven
            self.figures.courses.add(run.course.order)
            courses[places[0]] = run.course
        return courses

    async def _run(self, schedule: Schedule, title: str) -> Run:
        contest = await self._fresh()
        with probe(f"{self._what}: {title}", keep=False) as attempt:
            run = await interleave(self._testbed, schedule, contest.requests)
            record(run.course, attempt)
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            final = await _followed_up(contest, run.answers)
            if run.course.driven:
                view = await contest.view()
                contest.verify(final, view)
                unfailed((*run.answers, *final))
                self._compare(canonical(final, view))
        return run

    def _compare(self, outcome: str) -> None:
        if self.settled and outcome not in self._outcomes:
            raise Vulnerable(
                f"What two {self._what}s did at once is not what they do one after the other, in"
                " either order.",
                self._hint,
            )


async def _followed_up(contest: Contest, answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """The final answers, each request sent again through its own replica while it is put off."""
    again = [partial(send, number) for number, send in enumerate(contest.requests)]
    return await follow_up(answers, again)


async def explore(testbed: Testbed, prepare: Prepare, what: str, hint: str) -> Figures:
    """Walk the schedules; raises ``Vulnerable`` with the interleaving, or ``Inconclusive``.

    One preemption is walked in full, two up to a bound; what was left out is noted.
    """
    exploration = _Exploration(testbed, prepare, what, hint)
    solos = await exploration.solos()
    one = one_preemption(solos)
    two = two_preemptions(solos, await exploration.walk(one[:ONE_PREEMPTION]))
    exploration.figures.exist = len(one) + len(two)
    await exploration.walk(two[:TWO_PREEMPTIONS])
    figures = exploration.figures
    figures.contended = solos[0].contended | solos[1].contended
    figures.opaque = (
        any(solo.opaque for solo in solos)
        or figures.driven < max(figures.run, 1)
        or await has_functions(testbed)
    )
    with probe(f"{what}: all interleavings") as attempt:
        attempt.note(str(figures))
        if not exploration.settled:
            attempt.note(
                "One after the other they did not always do the same: rules alone decided."
            )
    return figures
