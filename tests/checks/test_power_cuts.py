"""Which power cuts there are: each that leaves something else behind, and once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import pytest
from multidict import CIMultiDict

from checks.attachment import Testbed
from checks.client import Answer
from checks.interleaving import Run
from checks.power_cuts import Outages, described, power_cuts
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


@dataclass
class Bed:
    """As much of a testbed as outages use, whose replicas start when they are told to."""

    replicas: range = field(default_factory=lambda: range(2))
    killed: set[int] = field(default_factory=set)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, replica: int) -> None:
        await self.up.wait()
        self.killed.discard(replica)


async def test_who_waits_for_a_replica_may_be_stopped_and_it_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def interleaved(*_: object, **__: object) -> Run:
        return Run((), Interleaving(schedule=Schedule(), steps=(), driven=True))

    async def read(replica: int) -> Answer:
        return Answer("GET /", 200, CIMultiDict(), b"", None, replica)

    monkeypatch.setattr("checks.power_cuts.interleave", interleaved)
    bed = Bed()
    async with Outages.on(cast(Testbed, bed), read) as outages:
        kill = Cut(at=Place(thread=0, shape=CALL, occurrence=1), kills=True)
        await outages.make(kill, read)
        waiting = asyncio.create_task(outages.make(kill, read))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert bed.killed == {0}
        bed.up.set()
    assert bed.killed == set()
