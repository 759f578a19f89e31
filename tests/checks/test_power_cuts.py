"""Which power cuts there are: each that leaves something else behind, and once."""

from __future__ import annotations

from collections import Counter

from checks.power_cuts import described, power_cuts
from checks.testbed.driving.schedule import Cut, Interleaving, Place, Schedule, Step

INSERT, COMMIT, CALL = "insert into a (x) values (?)", "commit", "psp POST /captures"


def course(*shapes: str) -> Interleaving:
    seen: Counter[str] = Counter()
    steps = []
    for number, shape in enumerate(shapes):
        seen[shape] += 1
        place = Place(thread=0, shape=shape, occurrence=seen[shape])
        steps.append(
            Step(
                at=number,
                thread=0,
                kind="call" if shape.startswith("psp") else "statement",
                place=place,
                point=shape != "begin",
                commits=shape == COMMIT,
            )
        )
    return Interleaving(schedule=Schedule(), steps=tuple(steps), driven=True)


def told(cut: Cut) -> tuple[str, int, str, bool]:
    return cut.at.shape, cut.at.occurrence, cut.when, cut.kills


def test_connections_are_cut_before_statements_and_around_commits() -> None:
    found = power_cuts(course("begin", INSERT, INSERT, COMMIT))
    assert [told(one) for one in found] == [
        (INSERT, 1, "before", False),
        (INSERT, 2, "before", False),
        (COMMIT, 1, "before", False),
        (COMMIT, 1, "unheard", False),
        (COMMIT, 1, "after", False),
    ]


def test_replicas_are_killed_where_the_work_is_half_done() -> None:
    found = power_cuts(course(INSERT, COMMIT, CALL, f"{CALL} reply", "begin", INSERT, COMMIT))
    assert [told(one)[:2] for one in found if one.kills] == [(CALL, 1), (f"{CALL} reply", 1)]


def test_what_happens_of_one_transaction_needs_no_kill() -> None:
    assert not [one for one in power_cuts(course(INSERT, COMMIT)) if one.kills]


def test_a_commit_of_its_own_between_is_half_done() -> None:
    kills = [one for one in power_cuts(course(INSERT, COMMIT, INSERT, COMMIT)) if one.kills]
    assert [told(one) for one in kills] == [(INSERT, 2, "before", True)]


def test_cuts_in_words() -> None:
    assert [
        described(one) for one in power_cuts(course(INSERT, COMMIT, CALL, f"{CALL} reply"))
    ] == [
        "the connection is cut before insert into a",
        "the connection is cut before commit",
        "the connection is cut with the reply lost to commit",
        "the connection is cut after commit",
        "the replica is killed before psp POST /captures",
        "the replica is killed before psp POST /captures is answered",
    ]
