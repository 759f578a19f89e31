"""Which schedules there are: every place once, nothing that cannot be."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from checks.schedules import Solo, one_preemption, two_preemptions
from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Step, Switch

SHAPES = ["select from a", "update a set x = ?", "insert into b (x) values (?)", "commit"]


def solo(thread: int, shapes: list[str]) -> Solo:
    seen: Counter[str] = Counter()
    places = []
    for shape in shapes:
        seen[shape] += 1
        places.append(Place(thread=thread, shape=shape, occurrence=seen[shape]))
    return Solo(tuple(places))


def course(*places: Place) -> Interleaving:
    steps = tuple(
        Step(at=at, thread=place.thread, kind="statement", place=place, point=True)
        for at, place in enumerate(places)
    )
    return Interleaving(schedule=Schedule(), steps=steps, driven=True)


LISTS = st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6)


@given(LISTS, LISTS)
def test_each_step_but_the_first_is_a_place_to_interrupt(one: list[str], two: list[str]) -> None:
    solos = [solo(0, one), solo(1, two)]
    found = [schedule.switches[0].before for schedule in one_preemption(solos)]
    assert len(found) == len(set(found))
    assert set(found) == {*solos[0].places[1:], *solos[1].places[1:]}
    for schedule in one_preemption(solos):
        (switch,) = schedule.switches
        assert schedule.first == switch.before.thread
        assert switch.to == 1 - schedule.first
        assert schedule.usual == (dict(Counter(one)), dict(Counter(two)))


@given(LISTS, LISTS)
def test_pairs_are_all_there_where_nobody_waited(one: list[str], two: list[str]) -> None:
    solos = [solo(0, one), solo(1, two)]
    pairs = two_preemptions(solos, {})
    assert len(pairs) == 2 * (len(one) - 1) * (len(two) - 1)
    assert len({tuple(one.before for one in pair.switches) for pair in pairs}) == len(pairs)


def test_what_the_other_could_not_reach_is_left_out() -> None:
    solos = [solo(0, SHAPES), solo(1, SHAPES)]
    stopped = solos[0].places[2]
    blocked = course(*solos[0].places[:2], *solos[1].places[:2], stopped, *solos[1].places[2:])
    pairs = two_preemptions(solos, {Switch(before=stopped, to=1): blocked})
    until = [pair.switches[1].before for pair in pairs if pair.switches[0].before == stopped]
    assert until == [solos[1].places[1]]


def test_between_a_look_and_its_write_comes_first() -> None:
    shapes = ["insert into log (x) values (?)", "select x from a", "update a set x = ?", "commit"]
    solos = [solo(0, shapes), solo(1, shapes)]
    assert [one.switches[0].before.shape for one in one_preemption(solos)[:2]] == [shapes[2]] * 2
    first = two_preemptions(solos, {})[0]
    assert [switch.before.shape for switch in first.switches] == [shapes[2]] * 2


@given(LISTS, LISTS, LISTS)
def test_of_three_each_is_interrupted_by_each_other(
    one: list[str], two: list[str], three: list[str]
) -> None:
    solos = [solo(number, shapes) for number, shapes in enumerate((one, two, three))]
    places = sum(len(shapes) - 1 for shapes in (one, two, three))
    once = [schedule.switches[0] for schedule in one_preemption(solos)]
    assert len(set(once)) == len(once) == 2 * places
    assert all(switch.to != switch.before.thread for switch in once)
    pairs = [schedule.switches for schedule in two_preemptions(solos, {})]
    assert len(set(pairs)) == len(pairs)
    assert all(back.before.thread == there.to != back.to for there, back in pairs)


def test_what_others_see_otherwise_comes_before_more_of_the_same() -> None:
    shapes = ["select x from a", "update a set x = ?", "select x from a where y", "commit"]
    solos = [solo(number, [*shapes, *shapes]) for number in (0, 1)]
    first = two_preemptions(solos, {})[:8]
    seen = {(one.first, *(switch.before.occurrence for switch in one.switches)) for one in first}
    assert len(seen) == len(first)


def test_a_look_that_the_other_makes_stale_comes_first() -> None:
    """The second request has looked at ``a``, which the first then writes."""
    writer = ["insert into b (x) values (?)", "commit", "update a set x = ?", "commit"]
    reader = ["insert into b (x) values (?)", "select x from a", "select x from b", "commit"]
    best = two_preemptions([solo(0, writer), solo(1, reader)], {})[0]
    assert [switch.before.shape for switch in best.switches] == [writer[1], reader[2]]
