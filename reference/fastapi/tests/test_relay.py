"""Publishing: at least once, in order for each object, and nothing left out."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import text

from payments.dependencies import Context
from payments.events import relay
from payments.events.broker import BrokerError, Message
from payments.events.brokers.database import DatabaseBroker
from payments.events.models import EventType
from payments.events.outbox import record
from payments.events.schemas import EventOut
from payments.kit.ids import new_id
from testkit.outbox import Shown, publish_all, tell


@dataclass
class FakeBroker:
    """Takes messages one by one, with pauses, and fails now and then."""

    fails: float = 0.0
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    taken: list[Message] = field(default_factory=list)

    async def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self.dice.random() < self.fails:
                raise BrokerError
            await asyncio.sleep(0)
            self.taken.append(message)

    async def close(self) -> None:
        pass

    def sequences(self, merchant_id: str) -> dict[str, list[int]]:
        """The sequences of each of a merchant's objects, in the order of their first coming."""
        found: dict[str, list[int]] = defaultdict(list)
        for message in self.taken:
            event = EventOut.model_validate_json(message.body)
            if message.merchant_id == merchant_id and event.sequence not in found[event.object]:
                found[event.object].append(event.sequence)
        return found


@pytest.fixture
def merchant_id() -> str:
    """Somebody to tell."""
    return new_id("mer")


async def test_everything_is_published_in_order(context: Context, merchant_id: str) -> None:
    broker = FakeBroker()
    objects = [new_id("po") for _ in range(5)]
    await asyncio.gather(*(tell(context, merchant_id, one, 4) for one in objects))
    await publish_all(replace(context, broker=broker))
    assert broker.sequences(merchant_id) == {one: [1, 2, 3, 4] for one in objects}
    assert await relay.of_due(replace(context, broker=broker)) == 0


async def test_what_the_broker_did_not_take_is_published_again(
    context: Context, merchant_id: str
) -> None:
    broker = FakeBroker(fails=0.05)
    objects = [new_id("po") for _ in range(5)]
    await asyncio.gather(*(tell(context, merchant_id, one, 6) for one in objects))
    await publish_all(replace(context, broker=broker))
    assert broker.sequences(merchant_id) == {one: [1, 2, 3, 4, 5, 6] for one in objects}


async def test_what_one_batch_has_no_room_for_is_free_at_once(
    context: Context, merchant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish_all(context)
    monkeypatch.setattr(relay, "EVENTS", 7)
    broker = FakeBroker()
    patient = context.settings.model_copy(update={"claim_lease_seconds": 600})
    relaying = replace(context, broker=broker, settings=patient)
    objects = [new_id("po") for _ in range(5)]
    await asyncio.gather(*(tell(context, merchant_id, one, 4) for one in objects))
    counts = []
    while count := await relay.of_due(relaying):
        counts.append(count)
    assert counts == [7, 7, 6]
    assert broker.sequences(merchant_id) == {one: [1, 2, 3, 4] for one in objects}


async def test_several_relays_keep_the_order_of_each_object(
    context: Context, merchant_id: str
) -> None:
    broker = FakeBroker()
    relaying = replace(context, broker=broker)
    objects = [new_id("po") for _ in range(6)]
    telling = asyncio.gather(*(tell(context, merchant_id, one, 8) for one in objects))

    async def copy() -> None:
        while not telling.done():
            await relay.of_due(relaying)
            await asyncio.sleep(0)

    await asyncio.gather(telling, *(copy() for _ in range(3)))
    await publish_all(relaying)
    assert broker.sequences(merchant_id) == {one: list(range(1, 9)) for one in objects}


async def test_what_commits_late_is_not_left_out(context: Context, merchant_id: str) -> None:
    broker = FakeBroker()
    relaying = replace(context, broker=broker)
    late, soon = new_id("po"), new_id("po")
    async with context.database.unit_of_work() as uow:
        await record(uow.session, EventType.PAYOUT_CHANGED, late, [merchant_id], Shown(step=0))
        await tell(context, merchant_id, soon)
        await publish_all(relaying)
        assert broker.sequences(merchant_id) == {soon: [1]}
    await publish_all(relaying)
    assert broker.sequences(merchant_id) == {soon: [1], late: [1]}


async def test_a_claimed_stream_is_left_to_its_holder_until_the_claim_lapses(
    context: Context, merchant_id: str
) -> None:
    await publish_all(context)
    entered, go_on, slow, quick = asyncio.Event(), asyncio.Event(), FakeBroker(), FakeBroker()

    class Stalled(FakeBroker):
        async def publish(self, messages: Sequence[Message]) -> None:
            entered.set()
            await go_on.wait()
            await slow.publish(messages)

    await tell(context, merchant_id, "po_one")
    stalled = asyncio.create_task(relay.of_due(replace(context, broker=Stalled())))
    await entered.wait()
    other = replace(context, broker=quick)
    await tell(context, merchant_id, "po_one")
    assert await relay.of_due(other) == 0
    async with asyncio.timeout(10):
        while not await relay.of_due(other):
            await asyncio.sleep(0.05)
    assert quick.sequences(merchant_id) == {"po_one": [1, 2]}
    go_on.set()
    assert await stalled == 1
    assert await relay.of_due(other) == 0


async def test_publishing_is_in_no_changes_way(context: Context, merchant_id: str) -> None:
    await tell(context, merchant_id, "po_one")
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await uow.session.execute(text("SELECT count(*) FROM streams"))
        await publish_all(context)
        kind, shown = EventType.PAYOUT_CHANGED, Shown(step=1)
        await record(uow.session, kind, "po_one", [merchant_id], shown)
    broker = FakeBroker()
    await publish_all(replace(context, broker=broker))
    assert broker.sequences(merchant_id) == {"po_one": [2]}


async def test_what_is_undone_is_not_told(context: Context, merchant_id: str) -> None:
    broker = FakeBroker()
    with pytest.raises(ZeroDivisionError):
        async with context.database.unit_of_work() as uow:
            await record(
                uow.session, EventType.PAYOUT_CHANGED, "po_x", [merchant_id], Shown(step=0)
            )
            raise ZeroDivisionError
    await tell(context, merchant_id, "po_x")
    await publish_all(replace(context, broker=broker))
    assert broker.sequences(merchant_id) == {"po_x": [1]}


async def test_the_database_keeps_messages_in_the_order_of_their_commits(
    context: Context, merchant_id: str
) -> None:
    brokers = [DatabaseBroker(context.database) for _ in range(3)]
    messages = [Message(new_id("evt"), "a.b", "k", merchant_id, "{}") for _ in range(60)]
    seen: list[str] = []

    async def read() -> None:
        last = 0
        while len(seen) < len(messages):
            async with context.database.unit_of_work() as uow:
                rows = await uow.session.execute(
                    text(
                        "SELECT position, event_id FROM messages"
                        " WHERE position > :last AND merchant_id = :merchant ORDER BY position"
                    ),
                    {"last": last, "merchant": merchant_id},
                )
                for row in rows:
                    last = row.position
                    seen.append(row.event_id)

    async def write(broker: DatabaseBroker, own: Sequence[Message]) -> None:
        for message in own:
            await broker.publish([message])

    async with asyncio.timeout(30):
        await asyncio.gather(
            read(), *(write(broker, messages[n::3]) for n, broker in enumerate(brokers))
        )
    assert sorted(seen) == sorted(message.event_id for message in messages)
