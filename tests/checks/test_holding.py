"""What is held as long as a call lasts is told from what only happens meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from checks.attachment import Testbed
from checks.holding import Hold, lasting, now
from checks.testbed.control import Replica, SqlSession


class Sessions:
    """A testbed whose one replica is found at these times to be in these transactions."""

    def __init__(self, *looks: Sequence[float]) -> None:
        self.replicas = range(1)
        self._looks = list(looks)

    async def sessions(self, where: Replica) -> tuple[SqlSession, ...]:
        if where == "worker":
            return ()
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        idle = SqlSession(session=9, pid=99, since=None)
        return (idle, *(SqlSession(session=1, pid=11, since=since) for since in look))


def of(*looks: Sequence[float]) -> Testbed:
    return cast(Testbed, cast(Any, Sessions(*looks)))


async def waits() -> bool:
    return True


async def ended() -> bool:
    return False


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checks.holding.PATIENCE", 0.2)


async def test_only_sessions_in_transactions_hold_anything() -> None:
    assert await now(of([2.5])) == {Hold(0, 1, 2.5)}
    assert await now(of([])) == frozenset()


async def test_one_transaction_that_stays_is_held_for_certain() -> None:
    found = await lasting(of([2.5]), frozenset(), waits)
    assert found.certain
    assert str(found) == "a transaction of replica 0's session 1"


async def test_short_ones_one_after_another_are_not() -> None:
    assert not (await lasting(of([2.5], [2.6], [2.7]), frozenset(), waits)).holds


async def test_what_was_there_before_is_not_the_call_s() -> None:
    assert not (await lasting(of([2.5]), frozenset({Hold(0, 1, 2.5)}), waits)).holds


async def test_what_ends_with_the_call_is_held_but_not_for_certain() -> None:
    found = await lasting(of([2.5], []), frozenset(), ended)
    assert found.holds
    assert not found.certain
