"""Section 17 of the contract: merchants' own servers, and what they are told."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from payments.access.models import Role
from payments.access.tokens import Caller
from payments.dependencies import Context
from payments.webhook_endpoints import delivery, service
from payments.webhook_endpoints.schemas import EndpointCreate
from payments.webhook_endpoints.sender import Attempt, Sender
from testkit import receiver
from testkit.api import Merchant, money
from testkit.names import Names
from testkit.outbox import publish_all
from testkit.receiver import NAME, Receiver


class Endpoint:
    """An endpoint of a merchant's, and what the worker does about it."""

    def __init__(self, merchant: Merchant, context: Context, made: dict[str, Any]) -> None:
        self.merchant = merchant
        self.context = context
        self.id: str = made["id"]
        self.secret: str = made["secret"]

    @classmethod
    async def register(
        cls, merchant: Merchant, context: Context, receiver: Receiver, **more: object
    ) -> "Endpoint":
        """Register the receiver."""
        body = {"url": receiver.url(), **more}
        made = await merchant.post("/v1/webhook-endpoints", body)
        assert made.status_code == 201, made.text
        return cls(merchant, context, made.json())

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/v1/webhook-endpoints/{self.id}"

    async def work(self) -> None:
        """Let the worker do what is due, and what is due later too."""
        await publish_all(self.context)
        async with self.context.database.unit_of_work() as uow:
            await uow.session.execute(
                text("UPDATE deliveries SET due_at = now() WHERE endpoint_id = :id"),
                {"id": self.id},
            )
        await delivery.of_due(self.context)

    async def deliveries(self, **which: object) -> list[dict[str, Any]]:
        """As the API shows them, newest first."""
        found: list[dict[str, Any]] = []
        parameters: dict[str, object] = {"limit": 2, **which}
        while True:
            page = (await self.merchant.get(f"{self.path}/deliveries", **parameters)).json()
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            parameters["cursor"] = page["next_cursor"]


@pytest.fixture
def shop(receiver_server: Receiver, names: Names) -> Iterator[Receiver]:
    """The merchant's server, with nothing taken yet."""
    names.points(NAME, ["127.0.0.1"])
    receiver_server.calls.clear()
    yield receiver_server
    receiver_server.answers.clear()
    receiver_server.headers.clear()


async def test_an_event_arrives_once_signed_as_standard_webhooks_says(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    account = await merchant.account(500)
    await endpoint.work()
    await endpoint.work()
    (call,) = shop.calls
    (event,) = (await merchant.get("/v1/events")).json()["data"]
    assert call.headers["webhook-id"] == event["id"]
    assert call.headers["content-type"] == "application/json"
    assert call.host == f"{NAME}:{shop.port}"
    assert call.signed_with(endpoint.secret)
    assert call.event == {
        "type": "deposit.created",
        "timestamp": event["created_at"],
        "object": event["object"],
        "sequence": 1,
        "data": event["data"],
    }
    assert call.event["data"]["account"] == account
    (made,) = await endpoint.deliveries()
    assert (made["status"], made["attempts"], made["status_code"]) == ("delivered", 1, 204)
    assert (made["event"], made["endpoint"]) == (event["id"], endpoint.id)
    assert made["delivered_at"] is not None


async def test_only_what_is_wanted_arrives_and_only_from_then_on(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    account, other = await merchant.account(500), await merchant.account()
    endpoint = await Endpoint.register(merchant, context, shop, types=["transfer.created"])
    body = {"from": account, "to": other, "amount": money(100)}
    await merchant.post("/v1/transfers", body)
    await merchant.account(500)
    await endpoint.work()
    assert [call.event["type"] for call in shop.calls] == ["transfer.created"]
    changed = await merchant.send("PATCH", endpoint.path, json={"types": None})
    assert changed.json()["types"] is None
    await merchant.account(500)
    await endpoint.work()
    assert [call.event["type"] for call in shop.calls][1:] == ["deposit.created"]


async def test_what_is_not_taken_is_sent_again_until_it_is_given_up(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    await merchant.account(500)
    shop.answers += [500, 301, 404, 200]
    shop.headers["Location"] = shop.url()
    for attempt in range(3):
        await endpoint.work()
        (made,) = await endpoint.deliveries(status="pending")
        assert made["attempts"] == attempt + 1
        assert made["due_at"] > made["created_at"]
    await endpoint.work()
    assert [one["status_code"] for one in await endpoint.deliveries(status="delivered")] == [200]
    assert len({call.headers["webhook-id"] for call in shop.calls}) == 1
    assert len({call.body for call in shop.calls}) == 1

    await merchant.account(500)
    shop.answers += [500] * 8
    for _ in range(10):
        await endpoint.work()
    (dead,) = await endpoint.deliveries(status="dead")
    assert (dead["attempts"], dead["due_at"]) == (8, None)
    again = await merchant.post(f"/v1/deliveries/{dead['id']}/redeliver", {})
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    await endpoint.work()
    assert await endpoint.deliveries(status="dead") == []
    assert len(await endpoint.deliveries(status="delivered")) == 2


async def test_the_pauses_grow_and_are_as_long_as_the_receiver_asks(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    await merchant.account(500)
    pauses = []
    for wanted in ("0", "1800"):
        shop.answers += [503]
        shop.headers["Retry-After"] = wanted
        await endpoint.work()
        async with context.database.unit_of_work() as uow:
            query = (
                "SELECT extract(epoch FROM due_at - now()) FROM deliveries WHERE endpoint_id = :id"
            )
            pauses.append(float(await uow.session.scalar(text(query), {"id": endpoint.id}) or 0))
    unit = context.settings.webhook_retry_seconds
    assert pauses[0] <= 1.2 * unit
    assert 1790 < pauses[1] <= 1800


async def test_a_rotated_secret_signs_beside_the_old_one(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    rotated = await merchant.post(f"{endpoint.path}/rotate", {})
    fresh = rotated.json()["secret"]
    assert fresh != endpoint.secret
    await merchant.account(500)
    await endpoint.work()
    assert shop.calls[0].signed_with(endpoint.secret)
    assert shop.calls[0].signed_with(fresh)
    async with context.database.unit_of_work() as uow:
        query = "UPDATE webhook_endpoints SET previous_until = now() WHERE id = :id"
        await uow.session.execute(text(query), {"id": endpoint.id})
    await merchant.account(500)
    await endpoint.work()
    assert not shop.calls[1].signed_with(endpoint.secret)
    assert shop.calls[1].signed_with(fresh)
    shown = (await merchant.get(endpoint.path)).json()
    assert "secret" not in shown
    async with context.database.unit_of_work() as uow:
        query = "SELECT secret FROM webhook_endpoints WHERE id = :id"
        stored = await uow.session.scalar(text(query), {"id": endpoint.id})
    assert fresh.removeprefix("whsec_").encode() not in (stored or b"")


async def test_an_endpoint_that_is_gone_is_told_nothing_more(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    shop.answers += [410]
    await merchant.account(500)
    await endpoint.work()
    assert (await merchant.get(endpoint.path)).json()["disabled"] is True
    await merchant.account(500)
    await endpoint.work()
    assert len(shop.calls) == 1
    (dead,) = await endpoint.deliveries(status="dead")
    refused = await merchant.post(f"/v1/deliveries/{dead['id']}/redeliver", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_disabled")
    await merchant.send("PATCH", endpoint.path, json={"disabled": False})
    assert (await merchant.post(f"/v1/deliveries/{dead['id']}/redeliver", {})).status_code == 200
    await endpoint.work()
    assert len(shop.calls) == 2
    assert (await merchant.send("DELETE", endpoint.path)).status_code == 204
    assert (await merchant.get(endpoint.path)).status_code == 404
    await merchant.account(500)
    await endpoint.work()
    assert len(shop.calls) == 2


async def test_addresses_that_lead_inside_are_refused(
    merchant: Merchant, names: Names, shop: Receiver
) -> None:
    names.points("inside.example", ["10.0.0.1"])
    names.points("both.example", ["8.8.8.8", "10.0.0.1"])
    names.points("gateway.example", ["64:ff9b::a00:1"])
    urls = [f"https://{name}.example/" for name in ("inside", "both", "gateway", "nowhere")]
    for url in (*urls, "http://8.8.8.8/", "https://user@8.8.8.8/", "https://10.0.0.1/"):
        refused = await merchant.post("/v1/webhook-endpoints", {"url": url})
        assert (refused.status_code, refused.json()["code"]) == (422, "url_not_allowed"), url
    assert (await merchant.get("/v1/webhook-endpoints")).json()["data"] == []


async def test_a_name_that_points_elsewhere_later_is_not_called(
    merchant: Merchant, context: Context, names: Names, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    names.points(NAME, ["10.0.0.1"])
    await merchant.account(500)
    await endpoint.work()
    assert shop.calls == []
    (made,) = await endpoint.deliveries()
    assert made["status"] == "pending"
    assert made["failure"].startswith("not allowed")


async def test_the_address_that_was_checked_is_the_one_that_is_called(
    merchant: Merchant, context: Context, names: Names, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    names.asked.clear()
    names.points(NAME, ["127.0.0.1"], ["10.0.0.1"])
    await merchant.account(500)
    await endpoint.work()
    assert names.asked == [NAME]
    assert len(shop.calls) == 1


async def test_a_certificate_has_to_be_of_the_name(
    merchant: Merchant, context: Context, names: Names, shop: Receiver, tmp_path: Path
) -> None:
    names.points("other.example", ["127.0.0.1"])
    refused = await context.sender.send(shop.url(host="other.example"), {}, b"{}")
    assert (refused.status, refused.failure) == (None, "ConnectError")
    with receiver.serve(tmp_path) as stranger:
        refused = await context.sender.send(stranger.url(), {}, b"{}")
        assert (refused.status, refused.failure) == (None, "ConnectError")
        assert stranger.calls == []
    assert shop.calls == []


async def test_without_an_allowance_nothing_near_is_called(
    context: Context, shop: Receiver, tmp_path: Path
) -> None:
    strict = Sender(context.settings.model_copy(update={"webhook_allowed_cidrs": ()}))
    refused = await strict.send(shop.url(), {}, b"{}")
    assert refused.failure is not None
    assert refused.failure.startswith("not allowed")
    await strict.close()
    with receiver.serve(tmp_path, tls=False) as plain:
        assert await context.sender.send(plain.url("http"), {}, b"{}") == Attempt(204)
    assert shop.calls == []


async def test_endpoints_and_deliveries_of_others_do_not_exist(
    merchant: Merchant, other: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    await merchant.account(500)
    await endpoint.work()
    (made,) = await endpoint.deliveries()
    for method, path in (
        ("GET", endpoint.path),
        ("PATCH", endpoint.path),
        ("DELETE", endpoint.path),
        ("POST", f"{endpoint.path}/rotate"),
        ("GET", f"{endpoint.path}/deliveries"),
        ("POST", f"/v1/deliveries/{made['id']}/redeliver"),
    ):
        body: object = None if method in ("GET", "DELETE") else {}
        assert (await other.send(method, path, json=body)).status_code == 404, (method, path)
    assert (await other.get("/v1/webhook-endpoints")).json()["data"] == []
    operator = await merchant.client("operator")
    assert (await operator.get(endpoint.path)).status_code == 200
    assert (await operator.post(f"{endpoint.path}/rotate", {})).status_code == 403
    refused = await operator.post("/v1/webhook-endpoints", {"url": shop.url()})
    assert refused.status_code == 403


async def test_a_merchant_has_few_endpoints(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    for _ in range(10):
        await Endpoint.register(merchant, context, shop)
    refused = await merchant.post("/v1/webhook-endpoints", {"url": shop.url()})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_endpoints")
    assert len((await merchant.get("/v1/webhook-endpoints")).json()["data"]) == 10


async def test_an_endpoint_waits_for_one_that_is_being_registered(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    for _ in range(9):
        await Endpoint.register(merchant, context, shop)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    caller = Caller(merchant.client_id, merchant.id, Role.OWNER)
    async with context.database.unit_of_work() as uow:
        body = EndpointCreate(url=shop.url())
        await service.register(uow.session, caller, body, context.seal)
        another = asyncio.create_task(merchant.post("/v1/webhook-endpoints", {"url": shop.url()}))
        while not another.done() and not await uow.session.scalar(waiting):
            await asyncio.sleep(0.01)
    assert (await another).status_code == 409


async def test_several_workers_make_each_delivery_once(
    merchant: Merchant, context: Context, shop: Receiver
) -> None:
    endpoint = await Endpoint.register(merchant, context, shop)
    await asyncio.gather(*(merchant.account(500) for _ in range(6)))
    copies = [replace(context, broker=context.broker) for _ in range(3)]
    await publish_all(context)
    await asyncio.gather(*(delivery.of_due(copy) for copy in copies))
    await endpoint.work()
    assert len(shop.calls) == len({call.headers["webhook-id"] for call in shop.calls}) == 6
