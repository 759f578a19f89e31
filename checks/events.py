"""What a merchant is told of its objects (contract 16)."""

from __future__ import annotations

from checks.client import Answer
from checks.losers import seen
from checks.shapes import Deposit, Event, Payment, Payout, Quote, Refund, Transfer
from checks.tenants import Merchant
from checks.verdicts import Broken

Told = Deposit | Transfer | Payment | Refund | Quote | Payout


async def events_of(merchant: Merchant, object_id: str = "") -> list[tuple[Answer, Event]]:
    """A merchant's events, of one object or all, oldest first; each with what listed it."""
    path = f"/v1/events?object={object_id}" if object_id else "/v1/events"
    listed = [
        (answer, answer.read_value(item, Event)) async for answer, item in merchant.walk(path)
    ]
    return listed[::-1]


async def only_event(merchant: Merchant, object_id: str) -> Event:
    """The event of an object that has just been made; raises ``Broken`` unless it is one."""
    events = [event for _, event in await events_of(merchant, object_id)]
    if len(events) != 1:
        raise Broken(f"The events of {object_id} are {events}; it has just been made.")
    return events[0]


async def expect_told(merchant: Merchant, now: Told, *types: str) -> None:
    """The merchant is told this of an object, in this order, and shown by the last what it is now.

    Raises:
        Broken: there is another event, or one too few; they are not counted 1, 2, 3; or the last
            one shows something else.
    """
    listed = await events_of(merchant, now.id)
    steps = [(event.type, event.sequence) for _, event in listed]
    if steps != [(name, place) for place, name in enumerate(types, 1)]:
        found = ", ".join(f"{place} {name}" for name, place in steps) or "nothing"
        raise Broken(
            f"{merchant.actor} is told of {now.id}: {found}; it must be {', '.join(types)}."
        )
    for answer, event in listed:
        if event.about != now.id:
            raise Broken(f"{answer} with an event of {event.about}; asked for {now.id}.")
    answer, last = listed[-1]
    if (shown := answer.read_value(last.data, type(now))) != now:
        raise Broken(f"{answer}, where {last.type} shows {shown}; it is {now}.")
    if (single := (await seen(merchant.owner, last.url)).read(Event)) != last:
        raise Broken(f"GET {last.url} shows {single}, and the list {last}.")
