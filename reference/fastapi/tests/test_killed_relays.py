"""Rules 7.5 and 16.6: workers that are killed while they publish."""

import asyncio
import os
import random
import subprocess
from collections import defaultdict
from contextlib import ExitStack

from sqlalchemy import text

from payments.dependencies import Context
from payments.events.schemas import EventOut
from payments.kit.ids import new_id
from testkit.outbox import tell as tell_of
from testkit.processes import PATIENCE, process

KILLS = int(os.environ.get("TEST_KILLS", "4"))
OBJECTS = 12


class Log:
    """What the broker has of a merchant's events."""

    def __init__(self, context: Context, merchant_id: str) -> None:
        self._context = context
        self._merchant_id = merchant_id

    async def events(self) -> list[EventOut]:
        """All of it, in the order of its coming."""
        async with self._context.database.unit_of_work() as uow:
            rows = await uow.session.scalars(
                text("SELECT body FROM messages WHERE merchant_id = :merchant ORDER BY position"),
                {"merchant": self._merchant_id},
            )
            return [EventOut.model_validate_json(row) for row in rows]

    async def count(self) -> int:
        """How many different ones it has."""
        async with self._context.database.unit_of_work() as uow:
            found = await uow.session.scalar(
                text("SELECT count(DISTINCT event_id) FROM messages WHERE merchant_id = :merchant"),
                {"merchant": self._merchant_id},
            )
        return int(found or 0)

    async def reaches(self, count: int) -> None:
        """Wait until it has so many."""
        async with asyncio.timeout(PATIENCE):
            while await self.count() < count:
                await asyncio.sleep(0.005)


async def test_nothing_is_lost_or_disordered_however_workers_are_killed(
    environment: dict[str, str], context: Context
) -> None:
    merchant_id, dice = new_id("mer"), random.Random(KILLS)
    objects, log = [new_id("po") for _ in range(OBJECTS)], Log(context, merchant_id)
    told: dict[str, int] = defaultdict(int)
    stop = asyncio.Event()

    async def tell() -> None:
        while not stop.is_set():
            one = dice.choice(objects)
            await tell_of(context, merchant_id, one)
            told[one] += 1

    settings = environment | {"PUBLISH_INTERVAL_SECONDS": "0.001"}
    telling = asyncio.create_task(tell())
    with ExitStack() as running:
        worker = ("-m", "payments.worker")

        def start() -> subprocess.Popen[bytes]:
            return running.enter_context(process(settings, *worker, log=subprocess.DEVNULL))

        workers = [start(), start()]
        for kill in range(KILLS):
            await log.reaches(await log.count() + dice.randint(1, 60))
            workers[kill % 2].kill()
            workers[kill % 2] = start()
        stop.set()
        await telling
        await log.reaches(sum(told.values()))

    events = await log.events()
    seen: dict[str, list[int]] = defaultdict(list)
    for event in events:
        if event.sequence not in seen[event.object]:
            seen[event.object].append(event.sequence)
    assert seen == {one: list(range(1, steps + 1)) for one, steps in told.items()}
    assert sum(told.values()) > KILLS
