"""Which schedules there are of requests, given the steps that each takes alone.

After a request that runs alone up to a step, another runs as far as it can: one preemption
(Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007: most races need one or two).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Switch
from checks.testbed.sql.statement import understand


@dataclass(frozen=True, slots=True)
class Solo:
    """The steps of one request when nobody else is there."""

    places: tuple[Place, ...]

    @classmethod
    def of(cls, course: Interleaving, thread: int) -> Solo:
        """What a run of one request alone says of the thread that it is to be."""
        places = (one.place for one in course.steps if one.point and one.place is not None)
        return cls(tuple(place.model_copy(update={"thread": thread}) for place in places))

    @property
    def usual(self) -> dict[str, int]:
        """How often it takes each step."""
        return dict(Counter(place.shape for place in self.places))

    @property
    def contended(self) -> frozenset[str]:
        """The tables that it looks at and later writes."""
        looked: set[str] = set()
        found: set[str] = set()
        for one in map(understand, (place.shape for place in self.places)):
            found |= one.writes & looked
            looked |= one.reads
        return frozenset(found)

    @property
    def opaque(self) -> bool:
        """Whether one of its steps looks and writes in itself."""
        return any(understand(place.shape).opaque for place in self.places)

    def between(self, place: int) -> bool:
        """Whether it has read, before a step, from a table that it writes at or after it."""
        before = [understand(one.shape) for one in self.places[:place]]
        after = [understand(one.shape) for one in self.places[place:]]
        read = {table for one in before for table in one.tables}
        return any(one.writes & read for one in after)


def one_preemption(solos: Sequence[Solo]) -> list[Schedule]:
    """Every step at which a request can be interrupted by another, the most promising first.

    That is where it is interrupted between a look at a table and its write to it.
    """
    ranked = [
        (not solos[first].between(at), _schedule(solos, Switch(before=place, to=other)))
        for first in range(len(solos))
        for at, place in enumerate(solos[first].places[1:], 1)
        for other in _others(solos, first)
    ]
    return [schedule for _, schedule in sorted(ranked, key=lambda one: one[0])]


def two_preemptions(
    solos: Sequence[Solo],
    walked: Mapping[Switch, Interleaving],
) -> list[Schedule]:
    """Every pair of such steps, of two requests, the most promising first.

    ``walked`` are the courses with the first preemption alone: what the other did not reach in one,
    because it had to wait for a lock, it cannot be interrupted at.
    """
    ranked = []
    for first, solo in enumerate(solos):
        for at, place in enumerate(solo.places[1:], 1):
            for other in _others(solos, first):
                switch, interrupting = Switch(before=place, to=other), solos[other]
                reached = (
                    _reached(walked[switch], switch)
                    if switch in walked
                    else set(interrupting.places)
                )
                for back, until in enumerate(interrupting.places[1:], 1):
                    if until not in reached:
                        continue
                    promise = solo.between(at) + interrupting.between(back)
                    ranked += [
                        (-promise, at + back, _schedule(solos, switch, Switch(before=until, to=to)))
                        for to in _others(solos, other)
                    ]
    return [schedule for _, _, schedule in sorted(ranked, key=lambda one: one[:2])]


def _reached(course: Interleaving, switch: Switch) -> set[Place]:
    """The steps that the other began while one was stopped."""
    stopped = switch.before
    resumed = next((one.at for one in course.steps if one.place == stopped), float("inf"))
    return {
        one.place
        for one in course.steps
        if one.place is not None and one.thread == switch.to and one.at < resumed
    }


def _others(solos: Sequence[Solo], thread: int) -> list[int]:
    """The other threads, beginning with the next."""
    count = len(solos)
    return [(thread + step) % count for step in range(1, count)]


def _schedule(solos: Sequence[Solo], *switches: Switch) -> Schedule:
    first = switches[0].before.thread
    return Schedule(first=first, switches=switches, usual=tuple(solo.usual for solo in solos))
