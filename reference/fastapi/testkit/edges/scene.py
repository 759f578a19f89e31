"""Two merchants that have one of everything, and all that the database holds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import text

from payments.dependencies import Context
from testkit.api import ADMIN_TOKEN, Caller, Merchant, money, new_merchant
from testkit.bank import FakeBank
from testkit.names import Names
from testkit.notifier import FakeNotifier
from testkit.outbox import publish_all
from testkit.psp import FakePsp

Objects = dict[str, Any]
"""Ids by name, and what else the bodies of requests need."""


@dataclass(frozen=True)
class Parties:
    """The outside parties that a scene needs."""

    psp: FakePsp
    bank: FakeBank
    notifier: FakeNotifier
    names: Names


@dataclass(frozen=True)
class Scene:
    """A merchant and its objects, and those of another, which do not exist for the first."""

    context: Context
    http: httpx.AsyncClient
    callers: dict[str, Caller]
    mine: Objects
    theirs: Objects

    async def digest(self) -> dict[str, str]:
        """Every table's rows, digested: equal before and after what has no effect."""
        found = {}
        async with self.context.database.unit_of_work() as uow:
            tables = await uow.session.scalars(text(_TABLES))
            for table in tables.all():
                whole = text(_DIGEST.format(table=table))
                found[str(table)] = str(await uow.session.scalar(whole))
        return found


_TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""
_DIGEST = """
    SELECT count(*) || ' rows, ' || coalesce(md5(string_agg(row, '' ORDER BY row)), '')
    FROM (SELECT md5(t::text) AS row FROM "{table}" t) rows
"""


async def set_scene(context: Context, http: httpx.AsyncClient, parties: Parties) -> Scene:
    """Everything, twice."""
    parties.names.points("shop.example", ["127.0.0.1"])
    merchant, other = await new_merchant(http), await new_merchant(http)
    operator, viewer = await merchant.client("operator"), await merchant.client("viewer")
    callers = {
        "nobody": Caller(http),
        "admin": Caller(http, ADMIN_TOKEN),
        "owner": merchant,
        "operator": operator,
        "viewer": viewer,
        "stranger": other,
    }
    mine = await _stock(context, merchant, operator, parties)
    theirs = await _stock(context, other, await other.client("operator"), parties)
    # A settlement is of a day, not of a merchant: the other day is one that there cannot be.
    today = datetime.now(UTC).date().isoformat()
    asked = await callers["admin"].post(f"/v1/settlements/{today}/fetch", {})
    assert asked.status_code == 200, asked.text
    days = {"date": today}, {"date": "1999-12-31"}
    return Scene(context, http, callers, mine | days[0], theirs | days[1])


async def _stock(context: Context, owner: Merchant, operator: Caller, parties: Parties) -> Objects:
    hook = {"url": "https://shop.example/", "types": ["deposit.created"]}
    endpoint = (await owner.post("/v1/webhook-endpoints", hook)).json()["id"]
    account, second = await owner.account(50_000), await owner.account()
    euros = await owner.account(50_000, "EUR")
    await publish_all(context)
    deliveries = (await owner.get(f"/v1/webhook-endpoints/{endpoint}/deliveries")).json()["data"]

    async def made(path: str, body: object, by: Caller = operator) -> Any:
        answer = await by.post(path, body)
        assert answer.status_code in (200, 201), (path, answer.text)
        return answer.json()["id"]

    sent = {"from": account, "to": second, "amount": money(100)}
    moved = [await made("/v1/transfers", sent) for _ in range(2)]
    captured = (await owner.pay(account, 1_000)).json()["id"]
    held = [(await owner.pay(account, 1_000, capture=False)).json()["id"] for _ in range(2)]
    news = parties.psp.done("authorisation")[-1]
    refunds = f"/v1/payments/{captured}/refunds"
    refunded = [await made(refunds, {"amount": money(10)}) for _ in range(2)]
    sold = {"from": account, "to": euros, "amount": money(100)}
    quotes = [await made("/v1/quotes", sold) for _ in range(2)]
    payee = {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"}
    leaving = {"account": account, "amount": money(100), "payee": payee}
    payouts = [await made("/v1/payouts", leaving) for _ in range(5)]
    for payout in payouts[3:]:
        await made(f"/v1/payouts/{payout}/challenges", {}, owner)
    codes = parties.notifier.code
    await made(f"/v1/payouts/{payouts[4]}/approve", {"code": codes(payouts[4])}, owner)
    await made(f"/v1/payouts/{payouts[4]}/sync", {})
    spare = (await owner.post("/v1/clients", {"name": "spare", "role": "viewer"})).json()
    events = (await owner.get("/v1/events")).json()["data"]
    return {
        "client_id": spare["id"],
        "client_secret": spare["secret"],
        "account_id": account,
        "second_id": second,
        "euros_id": euros,
        "transfer_id": moved[0],
        "payment_id": captured,
        "authorised_id": held[0],
        "voidable_id": held[1],
        "refund_id": refunded[0],
        "quote_id": quotes[0],
        "payout_id": payouts[0],
        "changeable_id": payouts[1],
        "cancellable_id": payouts[2],
        "approvable_id": payouts[3],
        "event_id": events[0]["id"],
        "endpoint_id": endpoint,
        "delivery_id": deliveries[0]["id"],
        "code": codes(payouts[3]),
        "psp_news": news,
        "bank_news": parties.bank.books[payouts[4]],
    }
