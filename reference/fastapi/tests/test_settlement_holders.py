"""Rules 18.3 and 7.5: one at a time, and what becomes of those who die or are too slow."""

import asyncio

import pytest
from sqlalchemy import text

from payments.settlements import repository, service
from testkit.api import Caller
from testkit.settlements import file_of
from testkit.till import (
    Till,
    fetched,
)


async def test_only_one_asks_at_a_time_and_who_died_is_followed(
    till: Till, admin: Caller, day: str
) -> None:
    till.psp.fault = "hang"
    first = asyncio.create_task(admin.post(f"/v1/settlements/{day}/fetch", {}))
    async with asyncio.timeout(5):
        while day not in till.psp.asked_for:
            await asyncio.sleep(0.01)
    second = await admin.post(f"/v1/settlements/{day}/fetch", {})
    assert (second.status_code, second.json()["code"]) == (409, "fetch_in_progress")
    assert int(second.headers["retry-after"]) <= 2

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    till.psp.reset()
    till.psp.files[day] = file_of(day, [])
    async with till.context.database.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE settlements SET claimed_until = clock_timestamp() WHERE id = :day"),
            {"day": day},
        )
    while await service.of_due(till.context):
        pass
    assert (await admin.get(f"/v1/settlements/{day}")).json()["status"] == "compared"


async def test_a_file_that_was_half_kept_is_asked_for_again(
    till: Till, admin: Caller, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.move("sale", 1_250)
    (row,) = await till.happened(day)
    till.psp.files[day] = file_of(day, [row.one_more()])
    assert (await fetched(admin, day))["differences"] == 1

    async def fail(*_: object) -> None:
        raise ConnectionError

    till.psp.files[day] = file_of(day, [row])
    with monkeypatch.context() as failing:
        failing.setattr(repository, "replace_totals", fail)
        with pytest.raises(ConnectionError):
            await service.fetch(till.context, day)
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["status"], shown["differences"]) == ("fetching", 1)
    while await service.of_due(till.context):
        pass
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["status"], shown["differences"], shown["resolved"]) == ("compared", 0, 1)


async def test_whoever_outlived_its_claim_changes_nothing(
    till: Till, admin: Caller, day: str
) -> None:
    till.psp.fault = "hang"
    slow = asyncio.create_task(admin.post(f"/v1/settlements/{day}/fetch", {}))
    async with asyncio.timeout(5):
        while day not in till.psp.asked_for:
            await asyncio.sleep(0.01)
    async with till.context.database.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE settlements SET claimed_until = NULL WHERE id = :day"), {"day": day}
        )
    till.psp.fault = None
    till.psp.files[day] = file_of(day, [])
    assert (await fetched(admin, day))["status"] == "compared"
    till.psp.released.set()
    outlived = await slow
    assert (outlived.status_code, outlived.json()["code"]) == (503, "busy")
    shown = (await admin.get(f"/v1/settlements/{day}")).json()
    assert (shown["status"], shown["failure"]) == ("compared", None)
