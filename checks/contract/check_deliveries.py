"""What merchants' servers are told of events (contract 17.4 to 17.8)."""

from __future__ import annotations

from pydantic import ValidationError

from checks import contract
from checks.attachment import Testbed
from checks.events import events_of, only_event
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import probe
from checks.registry import check
from checks.shapes import Account, Event, Transfer
from checks.shops import Shop, change, delete, new_path, register, rotate
from checks.tenants import FUNDS, Merchant
from checks.testbed.taking import ALLOWED
from checks.verdicts import Broken
from checks.webhooks import Call

#: Before each further attempt, in units of WEBHOOK_RETRY_SECONDS, less a fifth (contract 17.5).
_PAUSES = tuple(0.8 * units for units in (1, 12, 60, 360, 1440, 3600, 7200))

#: Seconds by which the clocks of two processes may disagree.
_CLOCKS = 0.02


@check(needs=(*contract.endpoints, *contract.events), competencies=("distributed.events",))
async def an_event_is_delivered(alice: Merchant, bob: Merchant, testbed: Testbed) -> None:
    """Every event arrives as it is, by TLS too, signed under its endpoint's secret alone."""
    plain = await Shop.open(alice, testbed)
    secured = await Shop.open(alice, testbed, ["transfer.reversed"], tls=True)
    source, target = await alice.funded(), await alice.open_account()
    sent = await alice.transfer(source, target, alice.fresh.money(100, 5_000))
    await alice.reverse(sent)
    events = [event for _, event in await events_of(alice)]
    for shop, wanted in (plain, events), (secured, await _reversed(alice, sent)):
        for event in wanted:
            for call in await shop.taken(event):
                _expect_told(call, event)
                call.expect_signed([shop.endpoint.secret])
        if others := {call.id for call in await shop.calls()} - {event.id for event in wanted}:
            raise Broken(f"The endpoint {shop.endpoint.id} is told of {others} besides.")
    listed = await plain.settled(len(events))
    told = {(one.event, one.endpoint, one.status, one.status_code) for one in listed}
    if told != {(event.id, plain.endpoint.id, "delivered", 204) for event in events}:
        raise Broken(f"The events {[event.id for event in events]} were taken; shown is {listed}.")
    if [one.id for one in await plain.deliveries("delivered")] != [one.id for one in listed]:
        raise Broken("The deliveries with the status delivered are other ones than those.")
    if await plain.deliveries("dead"):
        raise Broken("Deliveries that were taken are listed as dead.")
    expect_absent(await bob.post(listed[0].url, {}), (listed[0].event,))


async def _reversed(merchant: Merchant, transfer: Transfer) -> list[Event]:
    """The event of a transfer's reversal, which is the second of the transfer's."""
    return [event for _, event in await events_of(merchant, transfer.id)][1:]


def _expect_told(call: Call, event: Event) -> None:
    """A call tells of an event what the API does."""
    told = {**call.told, "id": call.id, "created_at": call.told.get("timestamp")}
    try:
        same = Event.model_validate(told) == event
    except ValidationError:
        same = False
    if not same:
        raise Broken(f"A merchant's server is told {call.told} of {call.id}; it is {event}.")


@check(needs=contract.deliveries, competencies=("distributed.events",))
async def only_what_is_wanted_is_delivered(alice: Merchant, testbed: Testbed) -> None:
    """An endpoint is told of its types alone, and of nothing once it is disabled or deleted."""
    source, target = await alice.open_account(), await alice.open_account()
    transfers = await Shop.open(alice, testbed, ["transfer.created"])
    everything, disabled, deleted, moved = [await Shop.open(alice, testbed) for _ in range(4)]
    new = new_path(alice)
    await change(alice, disabled.endpoint, disabled=True)
    await delete(alice, deleted.endpoint)
    await change(alice, moved.endpoint, url=testbed.receiver.url(new))
    unwanted = await _deposited(alice, source, FUNDS)
    wanted = await _transferred(alice, source, target)
    await everything.taken(unwanted)
    await transfers.taken(wanted)
    # Once the next event has arrived, those before it were sent to whoever is sent them.
    last = await _transferred(alice, source, target)
    for shop in (everything, transfers, Shop(alice, testbed, new, moved.endpoint)):
        await shop.taken(last)
    for what, shop, events in (
        ("wants transfers", transfers, [unwanted]),
        ("is disabled", disabled, [unwanted, wanted, last]),
        ("was deleted", deleted, [unwanted, wanted, last]),
        ("has moved, at its old address,", moved, [unwanted, wanted, last]),
    ):
        for call in await shop.calls():
            for event in events:
                if call.id == event.id:
                    raise Broken(f"An endpoint that {what} is sent {event.type}.")
    await change(alice, disabled.endpoint, disabled=False)
    await change(alice, transfers.endpoint, types=None)
    again = await _deposited(alice, source)
    await disabled.taken(again)
    await transfers.taken(again)


@check(needs=contract.deliveries, competencies=("distributed.events", "distributed.retries"))
async def what_is_not_taken_is_sent_again(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """An event is sent again after a failure or no answer, when asked; a stranger is sent none."""
    account = await alice.open_account()
    failing = await Shop.open(alice, testbed, status=500, times=2)
    silent = await Shop.open(alice, testbed, withheld="drop", done=False, times=1)
    busy = await Shop.open(alice, testbed, status=503, retry_after=1, times=1)
    stranger = await _stranger(alice, testbed, fresh)
    event = await _deposited(alice, account)
    await all_of(
        [
            _sent_again(failing, event, 3),
            _sent_again(silent, event, 2),
            _not_before(busy, event),
            _not_sent(stranger, event),
        ]
    )


async def _stranger(merchant: Merchant, testbed: Testbed, fresh: Fresh) -> Shop:
    """A shop at an address whose certificate is of other names."""
    name, path = f"{fresh.word(12)}.example", new_path(merchant)
    await testbed.names.point(name, ALLOWED)
    url = f"https://{name}:{testbed.lease.receiver_tls_port}{path}"
    return Shop(merchant, testbed, path, await register(merchant, url))


async def _sent_again(shop: Shop, event: Event, times: int) -> list[Call]:
    with probe(f"a server that takes an event the {times}. time"):
        calls = await shop.taken(event)
        if len(calls) < times:
            raise Broken(f"An event was taken at call {len(calls)}, of {times}.")
        for call in calls:
            _expect_told(call, event)
            call.expect_signed([shop.endpoint.secret])
        made = await shop.delivery(event, "delivered")
        if made.attempts < times or made.status_code != 204:
            raise Broken(f"A delivery that was taken at call {times} is shown as {made}.")
        return calls


async def _not_before(shop: Shop, event: Event) -> None:
    first, second, *_ = await _sent_again(shop, event, 2)
    if (pause := second.at - first.at) < 1 - _CLOCKS:
        raise Broken(f"A server that asked for a second's pause is called after {pause:.2f} s.")
    if second.timestamp <= first.timestamp:
        raise Broken(
            f"A second after the first attempt webhook-timestamp is {second.timestamp}, and was"
            f" {first.timestamp}; it is the time of the attempt."
        )


async def _not_sent(shop: Shop, event: Event) -> None:
    with probe("a server whose certificate is of another name"):
        made = await shop.delivery(event, "pending", "dead")
        if await shop.calls() or made.status_code is not None:
            raise Broken(f"What is sent to a stranger is shown as {made}.")


@check(needs=contract.deliveries, competencies=("distributed.events", "distributed.retries"))
async def a_delivery_is_given_up_and_made_again(alice: Merchant, testbed: Testbed) -> None:
    """After eight attempts with growing pauses, or at once after 410; made again when asked."""
    account = await alice.open_account()
    failing = await Shop.open(alice, testbed, status=500)
    gone = await Shop.open(alice, testbed, status=410)
    event = await _deposited(alice, account)
    await all_of([_given_up(failing, event), _gone(gone, event)])


async def _given_up(shop: Shop, event: Event) -> None:
    unit = float(shop.testbed.lease.settings["WEBHOOK_RETRY_SECONDS"])
    attempts = len(_PAUSES) + 1
    with probe("a server that never takes an event"):
        calls = await shop.called(event, attempts)
        for pause, before, after in zip(_PAUSES, calls, calls[1:], strict=False):
            if after.at - before.at < pause * unit - _CLOCKS:
                raise Broken(
                    f"The pause before an attempt was {after.at - before.at:.4f} s, and is"
                    f" {pause * unit:.4f} s at least."
                )
        dead = await shop.delivery(event, "dead")
        shown = (dead.attempts, dead.status_code, dead.due_at, dead.delivered_at)
        if shown != (attempts, 500, None, None) or await shop.deliveries("dead") != [dead]:
            raise Broken(f"A delivery that {attempts} attempts did not make is shown as {dead}.")
        if (made := len(await shop.calls())) != attempts:
            raise Broken(f"There were {made} attempts; there are {attempts} at most.")
    with probe("the delivery is made again, from the first attempt on"):
        await shop.testbed.receiver.conduct(shop.path, status=500, times=1)
        await shop.redeliver(dead)
        calls = await shop.taken(event)
        if len(calls) < attempts + 2:
            raise Broken(f"A delivery that was made again was taken at once: {calls[-1]}.")
        calls[-1].expect_signed([shop.endpoint.secret])
        await shop.delivery(event, "delivered")


async def _gone(shop: Shop, event: Event) -> None:
    with probe("a server that is gone"):
        dead = await shop.delivery(event, "dead")
        if dead.status_code != 410 or not (await shop.shown()).disabled:
            raise Broken(f"After 410 the delivery is {dead}, the endpoint {await shop.shown()}.")
        if (made := len(await shop.calls())) != 1:
            raise Broken(f"A server that is gone is called {made} times.")
        refused = await shop.merchant.post(dead.url, {})
        expect_problem(refused, 409, code="endpoint_disabled")
        await shop.testbed.receiver.conduct(shop.path)
        await change(shop.merchant, shop.endpoint, disabled=False)
        await shop.redeliver(dead)
        await shop.taken(event)
        await shop.delivery(event, "delivered")


@check(needs=contract.deliveries, competencies=("distributed.events", "security.authentication"))
async def a_new_secret_signs_beside_the_old_one(alice: Merchant, testbed: Testbed) -> None:
    """What is sent is signed under an endpoint's secret and, for a day, the one before."""
    account = await alice.open_account()
    shop, other = [await Shop.open(alice, testbed) for _ in range(2)]
    before, now = [(await rotate(alice, shop.endpoint)).secret for _ in range(2)]
    event = await _deposited(alice, account)
    for call in await shop.taken(event):
        call.expect_signed([now, before], perhaps=[shop.endpoint.secret])
    for call in await other.taken(event):
        call.expect_signed([other.endpoint.secret])


async def _deposited(merchant: Merchant, account: Account, least: int = 100) -> Event:
    """The event of a new deposit, of so many pence or a few more."""
    amount = merchant.fresh.money(least, least + 5_000)
    deposit = await merchant.platform.deposit(account, amount)
    return await only_event(merchant, deposit.id)


async def _transferred(merchant: Merchant, source: Account, target: Account) -> Event:
    """The event of a new transfer, of much less than ``FUNDS``."""
    transfer = await merchant.transfer(source, target, merchant.fresh.money(100, 5_000))
    return await only_event(merchant, transfer.id)
