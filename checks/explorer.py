"""Walks the interleavings of requests, and holds each outcome against the serial ones.

    await explore(testbed, prepare, "transfer", Judge(hint="Lock the account."))

Whatever requests do at once must be what they do one after the other, in some order; each order is
run three times on the same service, so that the oracle is its own. Besides, a contest states what
must hold in any case. What kind of service it is, its ``Terms`` say.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations

from checks import again
from checks.client import Answer
from checks.contest import Contest, Prepare
from checks.ground import Ground
from checks.interleaving import Run, interleave
from checks.judging import Judge
from checks.lanes import brief, record
from checks.probes import probe
from checks.schedules import Solo, one_preemption, two_preemptions
from checks.tables import has_functions
from checks.terms import CONTRACT, Terms
from checks.testbed.driving.schedule import Interleaving, Schedule, Switch
from checks.verdicts import Inconclusive

#: How often each serial order is run.
_SERIAL_RUNS = 3

#: Runs of an order after which its steps must have been the same twice in a row.
_WARM_UP = 6

#: Schedules of one preemption that are run: all, but for a request of absurdly many statements.
ONE_PREEMPTION = 200

#: Schedules of two preemptions that are run.
TWO_PREEMPTIONS = 6


@dataclass(slots=True)
class Figures:
    """How many schedules there are, were run, came out as asked, and took different courses.

    ``serial`` are the runs of one request after the other, which there were besides. ``undriven``
    says of those that did not come out as asked, why. ``contended`` are the tables that a request
    looks at and later writes. ``opaque`` says that there is more to interrupt than the ends of
    statements: a statement that looks and writes in itself, a function of the service's own in the
    database, a schedule that could not be driven, or nothing that could.
    """

    serial: int = 0
    exist: int = 0
    run: int = 0
    driven: int = 0
    courses: set[tuple[tuple[int, str], ...]] = field(default_factory=set)
    undriven: Counter[str] = field(default_factory=Counter)
    contended: frozenset[str] = frozenset()
    opaque: bool = False

    def __str__(self) -> str:
        return (
            f"Of {self.exist} schedules {self.run} were run, {self.driven} of them as asked;"
            f" {len(self.courses)} took different courses."
        )


class Exploration:
    """Requests and what they come to, ``count`` of them: first ``solos``, then any schedules.

    ``under_way`` is the schedule that was last run.
    """

    def __init__(
        self,
        ground: Ground,
        prepare: Prepare,
        what: str,
        judge: Judge,
        *,
        count: int = 2,
        terms: Terms = CONTRACT,
    ) -> None:
        self._ground = ground
        self._prepare = prepare
        self._what = what
        self._judge = judge
        self._count = count
        self._terms = terms
        self._ready: list[Contest] = []
        self._alike = False
        self.outcomes = terms.outcomes()
        self.figures = Figures()
        self.under_way: Schedule | None = None

    async def solos(self) -> list[Solo]:
        """Run each serial order, until its first request's steps are the same twice."""
        found: dict[int, Solo] = {}
        for order in permutations(range(self._count)):
            before: Solo | None = None
            for attempt in range(1, _WARM_UP + 1):
                solo = await self._in_turn(order)
                if solo == before and attempt >= _SERIAL_RUNS:
                    break
                before = solo
            found.setdefault(order[0], solo)
        return [found[number] for number in range(self._count)]

    async def _fresh(self) -> Contest:
        """A contest that was not run yet."""
        if not self._ready:
            preparing = (self._prepare(self._count) for _ in range(self._terms.at_once))
            self._ready += await asyncio.gather(*preparing)
        return self._ready.pop(0)

    async def _in_turn(self, order: Sequence[int]) -> Solo:
        """One request, and when it has ended, the next: the first one's steps."""
        contest = await self._fresh()
        self.figures.serial += 1
        self._alike = contest.alike
        title = f"{self._what}: request {', then '.join(str(number + 1) for number in order)}"
        with probe(title, keep=False) as attempt:
            runs: dict[int, Run] = {}
            for number in order:
                request = contest.requests[number]
                runs[number] = await interleave(
                    self._ground, Schedule(), [request], replicas=[number]
                )
                record(runs[number].course, attempt)
                if stuck := runs[number].course.stuck:
                    raise Inconclusive(stuck)
            final = await self._sent_again(
                contest, [runs[number].answers[0] for number in sorted(runs)]
            )
            self._terms.settled(final)
            view = await contest.view()
            self.outcomes.learn(order, final, view)
            contest.verify(final, view)
        return Solo.of(runs[order[0]].course, order[0])

    async def walk(self, solos: Sequence[Solo], two: int = TWO_PREEMPTIONS) -> None:
        """Run all schedules of one preemption, and up to so many of two."""
        figures = self.figures
        schedules = self._differing(one_preemption(solos))
        figures.exist = len(schedules)
        courses = await self.run(schedules[:ONE_PREEMPTION])
        deeper = self._differing(two_preemptions(solos, courses))
        figures.exist += len(deeper)
        await self.run(deeper[:two])
        figures.contended = frozenset().union(*(solo.contended for solo in solos))
        figures.opaque = (
            any(solo.opaque for solo in solos)
            or figures.driven < max(figures.run, 1)
            or await has_functions(self._ground)
        )

    def _differing(self, schedules: list[Schedule]) -> list[Schedule]:
        """Without those that are another's mirror image, of requests that are alike."""
        return [one for one in schedules if not self._alike or one.first == 0]

    async def again(self, schedule: Schedule) -> None:
        """Run one schedule once more; ``Inconclusive`` where it no longer fits."""
        await self.solos()
        (course,) = (await self.run([schedule])).values()
        if not course.driven:
            raise again.unfit(course.why)

    async def run(self, schedules: Iterable[Schedule]) -> dict[Switch, Interleaving]:
        """Run schedules; raises what the judge does of the first whose outcome is not right.

        Gives the course of each by its first switch.
        """
        courses = {}
        for schedule in schedules:
            courses[schedule.switches[0]] = await self._run(schedule)
        return courses

    async def _run(self, schedule: Schedule) -> Interleaving:
        contest = await self._fresh()
        self.under_way = schedule
        with probe(f"{self._what}: {in_words(schedule)}", keep=False) as attempt:
            again.keep(attempt, self._what, schedule)
            run = await interleave(self._ground, schedule, contest.requests)
            record(run.course, attempt)
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            self._count_in(run.course)
            final = await self._sent_again(contest, run.answers)
            # Contests on the same accounts see by how much these have changed since the last view.
            view = await contest.view()
            if run.course.driven:
                self._judge.judge(run, final, partial(contest.verify, final, view))
                if self.outcomes.settled and not self.outcomes.holds(final, view):
                    raise self._judge.unlike(run, self._what)
        return run.course

    def _count_in(self, course: Interleaving) -> None:
        figures = self.figures
        figures.run += 1
        figures.driven += course.driven
        figures.courses.add(course.order)
        if not course.driven:
            figures.undriven[course.why] += 1

    async def _sent_again(self, contest: Contest, answers: Sequence[Answer]) -> tuple[Answer, ...]:
        """The final answers, each request sent again through its own replica if it is put off."""
        sends = [partial(send, number) for number, send in enumerate(contest.requests)]
        return await self._terms.send_again(answers, sends)


def in_words(schedule: Schedule) -> str:
    """Where a schedule switches."""
    places = [one.before for one in schedule.switches]
    return ", then ".join(
        f"request {place.thread + 1} stopped before {brief(place.shape)}" for place in places
    )


async def explore(
    ground: Ground, prepare: Prepare, what: str, judge: Judge, terms: Terms = CONTRACT
) -> Figures:
    """Walk the schedules of two requests.

    Raises what the judge does, with the interleaving, or ``Inconclusive``. One preemption is walked
    in full, two up to a bound; what was left out is noted. On replay, that schedule alone is run.
    """
    exploration = Exploration(ground, prepare, what, judge, terms=terms)
    if (wanted := again.wanted()) is not None:
        if wanted.what == what:
            await exploration.again(wanted.schedule)
        return exploration.figures
    await exploration.walk(await exploration.solos())
    with probe(f"{what}: all interleavings") as attempt:
        attempt.note(str(exploration.figures))
        if not exploration.outcomes.settled:
            attempt.note(
                "One after the other they did not always do the same: rules alone decided."
            )
    return exploration.figures
