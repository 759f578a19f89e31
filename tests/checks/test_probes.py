from __future__ import annotations

import asyncio

import pytest

from checks.evidence import Exchange, JournalEntry, Message
from checks.probes import (
    BODY_LIMIT,
    EXCHANGES_LIMIT,
    Recorder,
    current,
    probe,
    recording,
)
from checks.verdicts import Vulnerable


def _exchange(number: int = 0) -> Exchange:
    return Exchange(
        at=0,
        seconds=0,
        actor="alice",
        replica=0,
        method="GET",
        url=f"/{number}",
        request=Message(),
        status=200,
        response=Message(),
    )


def _entry(at: float) -> JournalEntry:
    return JournalEntry(
        at=at,
        simulator="psp",
        method="POST",
        path="/v1/refunds",
        key="k",
        body="{}",
        fault=None,
        effect=True,
        status=201,
        answer="{}",
    )


def test_exchanges_outside_a_probe_are_the_legitimate_flow() -> None:
    with recording(Recorder("money/x")) as recorder:
        current()[1].exchange(_exchange())
        with probe("an attack"):
            current()[1].exchange(_exchange(1))
        current()[1].exchange(_exchange(2))
    first, second = recorder.probes()
    assert (first.id, [one.url for one in first.exchanges]) == ("money/x#0", ["/0", "/2"])
    assert (second.id, second.title) == ("money/x#1", "an attack")


async def test_tasks_record_into_the_probe_that_started_them() -> None:
    async def attack(title: str) -> None:
        with probe(title):
            await asyncio.sleep(0)
            current()[1].exchange(_exchange())
            await asyncio.gather(inner(), inner())

    async def inner() -> None:
        current()[1].exchange(_exchange())

    with recording(Recorder("x/y")) as recorder:
        await asyncio.gather(attack("one"), attack("two"))
    assert [(one.title, len(one.exchanges)) for one in recorder.probes()] == [
        ("one", 3),
        ("two", 3),
    ]


def test_nothing_is_recorded_outside_a_check() -> None:
    with pytest.raises(LookupError):
        current()


def test_sizes_are_bounded_and_say_so() -> None:
    with recording(Recorder("x/y")) as recorder, probe("much") as attempt:
        for number in range(EXCHANGES_LIMIT + 5):
            attempt.exchange(_exchange(number))
    (kept,) = recorder.probes()
    assert len(kept.exchanges) == EXCHANGES_LIMIT
    assert kept.notes == ("5 further exchanges are left out.",)
    assert recorder.exchanged == EXCHANGES_LIMIT + 5
    long = recorder.message([], b"a" * (BODY_LIMIT + 1))
    assert (len(long.body), long.truncated) == (BODY_LIMIT, True)
    assert recorder.message([], b"a" * BODY_LIMIT).truncated is False


def test_secrets_are_masked_wherever_they_stand() -> None:
    recorder = Recorder("x/y", secrets=("hush", ""))
    message = recorder.message([("Authorization", "Bearer hush")], b'{"a": "hush"}')
    assert message.headers == (("Authorization", "Bearer ***"),)
    assert message.body == '{"a": "***"}'


def test_a_journal_read_twice_is_recorded_once() -> None:
    with recording(Recorder("x/y")) as recorder, probe("p") as attempt:
        attempt.note("n")
        attempt.journal([_entry(1)])
        attempt.journal([_entry(1), _entry(2)])
    first, second = recorder.probes()[0].journal
    assert second.at - first.at == pytest.approx(1, abs=0.001)


def test_a_journals_times_count_from_the_probe() -> None:
    with recording(Recorder("x/y")) as recorder, probe("p") as attempt:
        before, after = _entry(attempt.began - 2), _entry(attempt.began + 0.5)
        attempt.journal([before, after])
        attempt.note("n")
    assert [entry.at for entry in recorder.probes()[0].journal] == [-2.0, 0.5]


def test_the_probe_in_which_the_verdict_was_reached_is_decisive() -> None:
    with recording(Recorder("x/y")) as recorder:
        with probe("passed") as attempt:
            attempt.note("n")
        with pytest.raises(Vulnerable), probe("failed") as attempt:
            attempt.note("n")
            raise Vulnerable("It answered.")
    assert [one.decisive for one in recorder.probes()] == [False, True]


def test_ids_are_no_two_probes_though_some_were_dropped() -> None:
    with recording(Recorder("x/y")) as recorder:
        with probe("dropped", keep=False), probe("one") as one:
            one.note("kept")
        with probe("two") as two:
            two.note("kept")
    assert [(one.id, one.title) for one in recorder.probes()] == [
        ("x/y#1", "one"),
        ("x/y#2", "two"),
    ]
