"""Rules 7.6 to 7.8: metrics of replicas and of workers."""

import asyncio
import re
import socket
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from payments.dependencies import Context
from payments.kit.settings import Settings, SettingsError
from payments.telemetry import measurement
from payments.telemetry.measurement import Measurement
from payments.telemetry.metrics import Metrics
from payments.worker import work
from testkit.api import Merchant, money, new_key
from testkit.processes import PATIENCE
from testkit.psp import FakePsp
from testkit.replica import replica
from testkit.scraper import Scrape


async def scrape(http: httpx.AsyncClient) -> Scrape:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.text)


@pytest_asyncio.fixture(loop_scope="session")
async def own(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, Context]]:
    """A replica that nobody else calls, with a breaker that opens."""
    async with replica(settings, breaker_failures=2, breaker_reset_seconds=60) as made:
        yield made


async def test_requests_are_counted_by_route_method_and_class(
    merchant: Merchant, own: tuple[httpx.AsyncClient, Context]
) -> None:
    http, _ = own
    account = await merchant.account()
    here = replace(merchant, http=http)
    for _ in range(3):
        assert (await here.get(f"/v1/accounts/{account}")).status_code == 200
    await here.get("/v1/accounts/acc_" + "0" * 32)
    await here.get(f"/v1/{uuid.uuid4().hex}")
    await here.send("BREW", "/v1/accounts")
    seen = await scrape(http)
    count, route = "payments_request_seconds_count", "/v1/accounts/{account_id}"
    assert seen.value(count, method="GET", route=route, status="2xx") == 3
    assert seen.value(count, method="GET", route=route, status="4xx") == 1
    assert seen.value(count, method="GET", route="none", status="4xx") == 1
    assert "BREW" not in seen.text
    assert seen.value("payments_refusals_total", code="not_found") == 2
    slowest = {"le": "+Inf", "method": "GET", "route": route, "status": "2xx"}
    assert seen.value("payments_request_seconds_bucket", **slowest) == 3
    assert (await scrape(http)).value(count, method="GET", route="/metrics", status="2xx") == 1


async def test_replays_and_conflicts_of_keys_are_counted(
    merchant: Merchant, own: tuple[httpx.AsyncClient, Context]
) -> None:
    http, _ = own
    source, target = await merchant.account(500), await merchant.account()
    body = {"from": source, "to": target, "amount": money(100)}
    key = new_key()
    for _ in range(3):
        assert (await merchant.on(http).post("/v1/transfers", body, key)).status_code == 201
    other = body | {"amount": money(101)}
    assert (await merchant.on(http).post("/v1/transfers", other, key)).status_code == 422
    seen = await scrape(http)
    assert seen.value("payments_replays_total") == 2
    assert seen.value("payments_refusals_total", code="idempotency_key_reused") == 1


async def test_calls_and_the_breaker_show(
    merchant: Merchant, own: tuple[httpx.AsyncClient, Context], fake_psp: FakePsp
) -> None:
    http, _ = own
    account = await merchant.account()
    assert (await replace(merchant, http=http).pay(account, 1000)).status_code == 201
    name = "payments_outside_call_seconds_count"
    seen = await scrape(http)
    assert seen.value(name, party="psp", outcome="2xx") == 1
    assert seen.value("payments_breaker_open", party="psp") == 0
    fake_psp.faults = ["500", "drop"]
    assert (await replace(merchant, http=http).pay(account, 1000)).status_code == 202
    assert (await replace(merchant, http=http).pay(account, 1000)).status_code == 503
    seen = await scrape(http)
    assert seen.value(name, party="psp", outcome="5xx") == 1
    assert seen.value(name, party="psp", outcome="unanswered") == 1
    assert seen.value("payments_breaker_open", party="psp") == 1
    assert seen.value("payments_refusals_total", code="psp_unavailable") == 1


async def test_lost_races_and_the_pool_show(
    merchant: Merchant, own: tuple[httpx.AsyncClient, Context]
) -> None:
    http, context = own
    account = await merchant.account()
    connections = "payments_database_connections"
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(
            text("SELECT 1 FROM accounts WHERE id = :id FOR UPDATE"), {"id": account}
        )
        busy = await scrape(http)
        assert busy.value(connections, state="in_use") == 1
        renamed = await merchant.on(http).send(
            "PATCH", f"/v1/accounts/{account}", json={"name": "new"}, headers={"If-Match": '"1"'}
        )
        assert renamed.status_code == 503
    seen = await scrape(http)
    assert seen.value("payments_lost_races_total", cause="lock_time_out") == 1
    assert seen.value("payments_refusals_total", code="busy") == 1
    assert seen.value(connections, state="in_use") == 0
    assert seen.value(connections, state="limit") == 10


async def test_no_label_holds_an_id(
    merchant: Merchant, own: tuple[httpx.AsyncClient, Context], fake_psp: FakePsp
) -> None:
    http, _ = own
    here = replace(merchant, http=http)
    account = await merchant.account(1000)
    payment = (await here.pay(account, 1000)).json()["id"]
    await here.post(f"/v1/payments/{payment}/refunds", {"amount": money(10)})
    await here.get(f"/v1/accounts/{account}/entries", cursor="made-up")
    text_ = (await scrape(http)).text
    assert not re.search(r"(acc|pay|ref|op|cli|mer|txn)_[0-9a-f]{8}|made-up", text_)


async def test_the_worker_measures_what_waits(
    merchant: Merchant, context: Context, settings: Settings, fake_psp: FakePsp
) -> None:
    account = await merchant.account(100)
    fake_psp.fault = "drop"
    assert (await merchant.pay(account, 1000)).status_code == 202
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(
            text(
                "UPDATE operations SET created_at = now() - interval '1 hour', "
                "due_at = now() - interval '30 minutes', claimed_until = now() "
                "WHERE status = 'unknown'"
            )
        )
    metrics = Metrics()
    await Measurement(metrics).take(context)
    seen = Scrape(metrics.text().decode())
    waits, since = "payments_backlog", "payments_backlog_oldest_seconds"
    assert seen.value(waits, object="operation", state="unknown") >= 1
    assert seen.value(since, object="operation", state="unknown") > 3_500
    assert seen.value(waits, object="operation", state="overdue") >= 1
    assert seen.value(since, object="operation", state="overdue") > 1_700
    assert seen.value(waits, object="event", state="unpublished") >= 1
    for kind, state in (("payout", "unknown"), ("payout", "overdue"), ("delivery", "dead")):
        assert seen.has(waits, object=kind, state=state)
    assert seen.value("payments_measured_timestamp_seconds") > 0


async def test_what_is_measured_is_answered_by_indexes(context: Context) -> None:
    parameters = {"most": 10, "after": "", "limit": 10}
    statements = [*measurement._BACKLOGS.values(), str(measurement._SLICE)]
    async with context.database.unit_of_work() as uow:
        for other in ("seqscan", "bitmapscan"):  # which few rows would be worth
            await uow.session.execute(text(f"SET LOCAL enable_{other} = off"))
        for statement in statements:
            needed = {name: it for name, it in parameters.items() if f":{name}" in statement}
            plan = await uow.session.execute(text(f"EXPLAIN {statement}"), needed)
            lines = "\n".join(plan.scalars())
            assert "Seq Scan" not in lines, lines
            assert "Sort Key: due_at" not in lines, lines


async def test_a_transaction_that_does_not_balance_is_found_and_named(
    context: Context, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measurement, "TRANSACTIONS", 1)
    metrics, wrong = Metrics(), f"txn_{uuid.uuid4().hex}"
    measured = Measurement(metrics)
    insert = "INSERT INTO transactions VALUES (:id, 'deposit', :id, now())"
    entry = (
        "INSERT INTO entries (id, transaction_id, account_id, amount, currency, created_at) "
        "VALUES (:id, :transaction, 'bank:GBP', 5, 'GBP', now())"
    )
    uow = context.database.unit_of_work()
    async with uow:
        await uow.session.execute(text(insert), {"id": wrong})
        await uow.session.execute(
            text(entry), {"id": f"ent_{uuid.uuid4().hex}", "transaction": wrong}
        )
    try:
        while not Scrape(metrics.text().decode()).value("payments_ledger_rounds"):
            await measured._look_at_the_ledger(context)
    finally:
        async with uow:
            for table in ("entries", "transactions"):
                await uow.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            await uow.session.execute(
                text("DELETE FROM entries WHERE transaction_id = :id"), {"id": wrong}
            )
            await uow.session.execute(
                text("DELETE FROM transactions WHERE id = :id"), {"id": wrong}
            )
            for table in ("entries", "transactions"):
                await uow.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
    seen = Scrape(metrics.text().decode())
    assert seen.value("payments_ledger_unbalanced_transactions") == 1
    assert capfd.readouterr().out.count(wrong) == 1


async def test_a_worker_tells_its_metrics_at_a_port_of_its_own(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = asyncio.Event()
    async with replica(settings, metrics_port=port, metrics_interval_seconds=0.05) as (_, context):
        working = asyncio.create_task(work(context, stop))
        async with httpx.AsyncClient() as http, asyncio.timeout(PATIENCE):
            while True:
                answer = await http.get(f"http://127.0.0.1:{port}/metrics")
                seen = Scrape(answer.text)
                if seen.value("payments_measured_timestamp_seconds"):
                    break
        assert seen.has("payments_backlog")
        with pytest.raises(SettingsError, match="METRICS_PORT"):
            await work(context, stop)
        stop.set()
        await working


async def test_nothing_is_measured_unless_it_is_asked_for(settings: Settings) -> None:
    stop = asyncio.Event()
    stop.set()
    async with replica(settings) as (_, context):
        await work(context, stop)
        assert b"payments_backlog" not in context.telemetry.metrics.text()
