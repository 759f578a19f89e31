"""Merchants' shops: servers that are told of events (contract 17).

As in ``checks.tenants``, the methods named after business acts are legitimate flows: they raise
``Broken`` for any other answer than the contract's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from checks.attachment import Testbed
from checks.losers import carried_out, seen
from checks.shapes import Delivery, Endpoint, EndpointWithSecret, Event
from checks.tenants import Merchant
from checks.testbed.taking import ALLOWED, DOMAIN
from checks.verdicts import Broken
from checks.webhooks import Call

ENDPOINTS = "/v1/webhook-endpoints"

#: Seconds after which the worker must have done what is due: it looks for it five times a second
#: (contract 17.5).
SETTLED = 20.0

_PAUSE = 0.1


async def register(
    merchant: Merchant, url: str, types: Sequence[str] | None = None
) -> EndpointWithSecret:
    """A new endpoint of a merchant's."""
    body: dict[str, Any] = {"url": url} if types is None else {"url": url, "types": list(types)}
    answer = await carried_out(partial(merchant.post, ENDPOINTS, body))
    return answer.expect(201).read(EndpointWithSecret)


async def change(merchant: Merchant, endpoint: Endpoint, **members: object) -> Endpoint:
    """An endpoint, changed."""
    answer = await carried_out(partial(merchant.request, "PATCH", endpoint.url, members))
    return answer.expect(200).read(Endpoint)


async def rotate(merchant: Merchant, endpoint: Endpoint) -> EndpointWithSecret:
    """An endpoint with a new secret."""
    answer = await carried_out(partial(merchant.post, f"{endpoint.url}/rotate", {}))
    return answer.expect(200).read(EndpointWithSecret)


async def delete(merchant: Merchant, endpoint: Endpoint) -> None:
    """Forget an endpoint."""
    (await carried_out(partial(merchant.request, "DELETE", endpoint.url))).expect(204)


@dataclass(frozen=True, slots=True)
class Shop:
    """A server of a merchant's, at a path of the receiver's own; made by ``open``."""

    merchant: Merchant
    testbed: Testbed
    path: str
    endpoint: EndpointWithSecret

    @classmethod
    async def open(
        cls,
        merchant: Merchant,
        testbed: Testbed,
        types: Sequence[str] | None = None,
        *,
        tls: bool = False,
        **how: Any,
    ) -> Self:
        """Registered, and behaving so (``checks.testbed.taking.Taking``); by TLS under a name."""
        path, label = new_path(merchant), merchant.fresh.word(12)
        if how:
            await testbed.receiver.conduct(path, **how)
        if tls:
            await testbed.names.point(f"{label}.{DOMAIN}", ALLOWED)
        receiver = testbed.receiver
        url = receiver.secure_url(path, label) if tls else receiver.url(path)
        return cls(merchant, testbed, path, await register(merchant, url, types))

    async def calls(self) -> list[Call]:
        """What has arrived so far, in order."""
        return [Call.of(entry) for entry in await self.testbed.receiver.journal(self.path)]

    async def called(self, event: Event, times: int = 1) -> list[Call]:
        """The calls for an event, as soon as there are so many of them."""
        return await self._until(event, times, taken=False)

    async def taken(self, event: Event) -> list[Call]:
        """The calls for an event, as soon as it was taken."""
        return await self._until(event, 1, taken=True)

    async def comes(self, event: Event) -> bool:
        """Whether an event is sent within ``SETTLED`` seconds; at once, if it has been."""
        return bool(await self._calls_for(event, 1, taken=False))

    async def _until(self, event: Event, times: int, *, taken: bool) -> list[Call]:
        calls = await self._calls_for(event, times, taken=taken)
        if sum(call.taken or not taken for call in calls) < times:
            what = "taken by" if taken else "sent to"
            raise Broken(
                f"After {SETTLED:g} s {event.type} of {event.about} was not {what} the"
                f" endpoint {self.endpoint.id} ({len(calls)} calls)."
            )
        return calls

    async def _calls_for(self, event: Event, times: int, *, taken: bool) -> list[Call]:
        """The calls for an event, as soon as they are enough, or after ``SETTLED`` seconds."""
        receiver, clock = self.testbed.receiver, asyncio.get_running_loop().time
        deadline = clock() + SETTLED
        entries = await receiver.wait(self.path, times, SETTLED)
        while True:
            calls = [call for call in map(Call.of, entries) if call.id == event.id]
            enough = sum(call.taken or not taken for call in calls) >= times
            if enough or (left := deadline - clock()) <= 0:
                return calls
            entries = await receiver.wait(self.path, len(entries) + 1, left)

    async def deliveries(self, status: str = "") -> list[Delivery]:
        """Its deliveries, newest first; of one status, if given."""
        path = f"{self.endpoint.url}/deliveries{f'?status={status}' if status else ''}"
        listed = self.merchant.walk(path)
        return [answer.read_value(item, Delivery) async for answer, item in listed]

    async def delivery(self, event: Event, *statuses: str, attempts: int = 1) -> Delivery:
        """The delivery of an event as soon as it has one of these statuses after so many attempts.

        What the receiver has answered the service has yet to write down.
        """
        deadline = asyncio.get_running_loop().time() + SETTLED
        while True:
            found = [one for one in await self.deliveries() if one.event == event.id]
            if len(found) == 1 and found[0].status in statuses and found[0].attempts >= attempts:
                return found[0]
            if asyncio.get_running_loop().time() > deadline:
                raise Broken(
                    f"After {SETTLED:g} s the deliveries of {event.id} to {self.endpoint.id} are"
                    f" {found}; it must be one, {' or '.join(statuses)}."
                )
            await asyncio.sleep(_PAUSE)

    async def settled(self, count: int) -> list[Delivery]:
        """All its deliveries, as soon as there are so many, and none is pending."""
        deadline = asyncio.get_running_loop().time() + SETTLED
        while True:
            found = await self.deliveries()
            if len(found) >= count and all(one.status != "pending" for one in found):
                return found
            if asyncio.get_running_loop().time() > deadline:
                raise Broken(f"After {SETTLED:g} s the deliveries are {found}, of {count} events.")
            await asyncio.sleep(_PAUSE)

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Have a delivery made again."""
        answer = await carried_out(partial(self.merchant.post, delivery.url, {}))
        return answer.expect(200).read(Delivery)

    async def shown(self) -> Endpoint:
        """Its endpoint as it is now."""
        return (await seen(self.merchant.owner, self.endpoint.url)).read(Endpoint)


def new_path(merchant: Merchant) -> str:
    """A path of the receiver's that nobody else uses."""
    return f"/hooks/{merchant.fresh.word(16)}"
