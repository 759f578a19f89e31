"""Which schedules there are of requests, given the steps that each takes alone.

After a request that runs alone up to a step, another runs as far as it can: one preemption
(Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007: most races need one or two).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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

    def ended(self, place: int) -> int:
        """How many transactions it has ended before a step: what others see of it by then."""
        return sum(understand(one.shape).ends for one in self.places[:place])

    def looked(self, place: int) -> set[str]:
        """The tables that it has looked at before a step."""
        return {table for one in self.places[:place] for table in understand(one.shape).reads}

    def shown(self, place: int) -> set[str]:
        """The tables that it has written in transactions ended before a step."""
        shown: set[str] = set()
        written: set[str] = set()
        for one in map(understand, (place.shape for place in self.places[:place])):
            written |= one.writes
            if one.ends:
                shown |= written
        return shown

    def left(self, place: int) -> set[str]:
        """The tables that it writes at a step or after it."""
        return {table for one in self.places[place:] for table in understand(one.shape).writes}

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

    That is where a request goes on with what it has seen of a table, though the other has written
    there meanwhile. Between two ends of transactions, what others see of a request stays as it is:
    of the pairs that differ in nothing else, one comes before any second. ``walked`` are the
    courses with the first preemption alone: what the other did not reach in one, because it had to
    wait for a lock, it cannot be interrupted at.
    """
    ranked = sorted(_pairs(solos, walked), key=lambda pair: pair.promise(solos))
    before: Counter[tuple[int, ...]] = Counter()
    rounds = []
    for pair in ranked:
        kind = pair.kind(solos)
        rounds.append((before[kind], pair))
        before[kind] += 1
    rounds.sort(key=lambda one: one[0])
    return [schedule for _, pair in rounds for schedule in pair.schedules(solos)]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A request is stopped before its step ``at`` for another, and that one before ``back``."""

    first: int
    at: int
    other: int
    back: int

    def promise(self, solos: Sequence[Solo]) -> tuple[int, int, int]:
        """The less, the more it may show."""
        first, other = solos[self.first], solos[self.other]
        stale = bool(first.looked(self.at) & other.shown(self.back)) + bool(
            other.looked(self.back) & first.left(self.at)
        )
        between = first.between(self.at) + other.between(self.back)
        return -stale, -between, self.at + self.back

    def kind(self, solos: Sequence[Solo]) -> tuple[int, ...]:
        """What it has in common with others between the same ends of transactions."""
        first, other = solos[self.first], solos[self.other]
        return self.first, first.ended(self.at), self.other, other.ended(self.back)

    def schedules(self, solos: Sequence[Solo]) -> list[Schedule]:
        """One for each request that may have the turn in the end."""
        switch = Switch(before=solos[self.first].places[self.at], to=self.other)
        until = solos[self.other].places[self.back]
        return [
            _schedule(solos, switch, Switch(before=until, to=to))
            for to in _others(solos, self.other)
        ]


def _pairs(solos: Sequence[Solo], walked: Mapping[Switch, Interleaving]) -> Iterator[_Pair]:
    for first, solo in enumerate(solos):
        for at, place in enumerate(solo.places[1:], 1):
            for other in _others(solos, first):
                switch = Switch(before=place, to=other)
                course = walked.get(switch)
                reached = _reached(course, switch) if course is not None else None
                for back, until in enumerate(solos[other].places[1:], 1):
                    if reached is None or until in reached:
                        yield _Pair(first, at, other, back)


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
