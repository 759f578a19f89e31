from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

from checks.garage import AT_ONCE, PATIENT, Garage
from checks.registry import Declaration
from checks.testbed.control import Control
from checks.testbed.lease import REPLICAS, Lease

GATED = {"CLAIM_LEASE_SECONDS": "30"}


class Broker:
    """Counts what is lent and given back."""

    def __init__(self) -> None:
        self.lent: list[dict[str, str]] = []
        self.released: list[str] = []
        self.lifted: list[str] = []
        self.started: list[int] = []

    async def lease(
        self, kind: str, *, worker: bool, settings: dict[str, str], replicas: int = REPLICAS
    ) -> Lease:
        self.lent.append(dict(settings))
        return Lease(
            id=f"t{len(self.lent)}",
            kind="exclusive",
            replicas=("http://127.0.0.1:9",) * replicas,
            control="",
            observer_dsn="",
            admin_token="",
            jwt_public_key="",
            public_url="",
            source="",
            settings=dict(settings),
        )

    async def release(self, lease: Lease) -> None:
        self.released.append(lease.id)

    async def replica_kill(self, lease: Lease, replica: int) -> None:
        pass

    async def replica_start(self, lease: Lease, replica: int) -> None:
        self.started.append(replica)

    async def lift(self, lease: Lease) -> None:
        self.lifted.append(lease.id)


def _check(name: str, settings: dict[str, str] | None = None) -> Declaration:
    return Declaration(
        f"load/{name}", "load", "f", "A rule.", exclusive=True, settings=settings or {}
    )


async def _use(garage: Garage, check: Declaration, *, sound: bool = True) -> str:
    async with garage.testbed(check) as borrowed:
        await asyncio.sleep(0)
        borrowed.sound = sound
    await garage.done(check)
    return borrowed.testbed.lease.id


def _garage(*checks: Declaration, expected: dict[str, str] | None = None) -> tuple[Garage, Broker]:
    broker = Broker()
    return Garage(cast(Control, cast(Any, broker)), checks, expected), broker


async def _shared(broker: Broker) -> Lease:
    lease = await broker.lease("shared", worker=True, settings=GATED)
    broker.lent.clear()
    return lease


async def test_a_sound_testbed_goes_on_and_ends_with_the_last() -> None:
    checks = [_check(name, GATED) for name in "abc"]
    garage, broker = _garage(*checks)
    assert [await _use(garage, check) for check in checks] == ["t1", "t1", "t1"]
    assert (broker.released, broker.lifted) == (["t1"], ["t1", "t1", "t1"])


async def test_what_is_not_sound_is_ended_at_once() -> None:
    checks = [_check(name, GATED) for name in "ab"]
    garage, broker = _garage(*checks)
    assert await _use(garage, checks[0], sound=False) == "t1"
    assert broker.released == ["t1"]
    assert await _use(garage, checks[1]) == "t2"
    assert broker.released == ["t1", "t2"]


async def test_other_settings_are_another_testbed() -> None:
    checks = [_check("a", GATED), _check("b")]
    garage, broker = _garage(*checks)
    assert {await _use(garage, check) for check in checks} == {"t1", "t2"}
    assert broker.lent == [GATED, {}]


async def test_more_replicas_are_another_testbed() -> None:
    checks = [_check("a"), replace(_check("b"), replicas=3)]
    garage, broker = _garage(*checks)
    assert [await _use(garage, check) for check in checks] == ["t1", "t2"]
    assert len(broker.lent) == 2


async def test_nobody_shares_and_there_is_a_bound() -> None:
    checks = [_check(f"c{number}", {"A": str(number % 4)}) for number in range(12)]
    garage, broker = _garage(*checks)
    at_once, most, users = 0, 0, set()

    async def use(check: Declaration) -> None:
        nonlocal at_once, most
        async with garage.testbed(check) as borrowed:
            assert borrowed.testbed.lease.id not in users
            users.add(borrowed.testbed.lease.id)
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            users.discard(borrowed.testbed.lease.id)
            borrowed.sound = True
        await garage.done(check)

    await asyncio.gather(*(use(check) for check in checks))
    assert most == AT_ONCE
    assert len(broker.lent) == 4
    assert len(broker.released) == 4


async def test_what_no_check_came_for_is_ended() -> None:
    checks = [_check(name, GATED) for name in "ab"]
    garage, broker = _garage(*checks)
    await _use(garage, checks[0])
    await garage.close()
    assert broker.released == ["t1"]


async def test_few_checks_wait_for_the_shared_testbed() -> None:
    checks = [_check(name, GATED) for name in "ab"]
    garage, broker = _garage(*checks, expected=GATED)
    using = [asyncio.create_task(_use(garage, check)) for check in checks]
    await asyncio.sleep(0.01)
    assert broker.lent == []
    garage.hand_on(await _shared(broker))
    assert await asyncio.gather(*using) == ["t1", "t1"]
    assert broker.lent == []


async def test_a_shared_testbed_that_is_not_fit_is_not_handed_on() -> None:
    checks = [_check(name, GATED) for name in "ab"]
    garage, broker = _garage(*checks, expected=GATED)
    garage.hand_on(None)
    assert [await _use(garage, check) for check in checks] == ["t1", "t1"]
    assert broker.lent == [GATED]


async def test_many_checks_do_not_wait_and_take_the_shared_testbed_as_well() -> None:
    checks = [_check(f"c{number}", GATED) for number in range(PATIENT + 2)]
    garage, broker = _garage(*checks, expected=GATED)
    async with garage.testbed(checks[0]):
        assert broker.lent == [GATED]
        garage.hand_on(await _shared(broker))
        assert await _use(garage, checks[1]) != "t1"
    assert broker.lent == []


async def test_other_settings_than_the_shared_ones_wait_for_nothing() -> None:
    check = _check("a", {"OTHER": "1"})
    garage, broker = _garage(check, expected=GATED)
    assert await _use(garage, check) == "t1"
    garage.hand_on(await _shared(broker))
    await garage.close()
    assert broker.lifted == ["t1"]


async def test_a_killed_replica_is_started_for_the_next_check() -> None:
    checks = [_check(name, GATED) for name in "ab"]
    garage, broker = _garage(*checks)
    async with garage.testbed(checks[0]) as borrowed:
        await borrowed.testbed.kill(0)
        borrowed.sound = True
    await garage.done(checks[0])
    assert broker.started == []
    await _use(garage, checks[1])
    assert broker.started == [0]
