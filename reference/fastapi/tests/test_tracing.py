"""Rule 7.9: traces, where they are configured."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from payments.dependencies import Context
from payments.kit.settings import Settings
from payments.operations import reconciliation
from payments.payouts import submission
from payments.webhook_endpoints import delivery
from testkit import collector as collectors
from testkit.api import Merchant, money
from testkit.bank import FakeBank
from testkit.collector import Collector, Span
from testkit.names import Names
from testkit.notifier import FakeNotifier
from testkit.outbox import publish_all
from testkit.processes import PROJECT
from testkit.psp import FakePsp
from testkit.receiver import NAME, Receiver
from testkit.replica import replica

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where traces are sent."""
    with collectors.serve() as served:
        yield served


@dataclass
class Traced:
    """A replica that is traced, its merchant's owner, and what it sent."""

    http: httpx.AsyncClient
    context: Context
    owner: Merchant
    collector: Collector

    async def spans(self) -> list[Span]:
        """All that ended."""
        tracing = self.context.telemetry.tracing
        assert tracing is not None
        assert tracing.flush()
        return self.collector.spans

    async def the_one(self, name: str, **attributes: str) -> Span:
        """The one span of a name with these attributes."""
        (found,) = [
            span
            for span in await self.spans()
            if span.name == name and attributes.items() <= span.attributes.items()
        ]
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def traced(
    settings: Settings, merchant: Merchant, collector: Collector
) -> AsyncIterator[Traced]:
    """A replica of this test's own, whose traces are sent."""
    async with replica(settings, otel_exporter_otlp_endpoint=collector.url) as (http, context):
        yield Traced(http, context, replace(merchant, http=http), collector)


async def test_a_request_its_transactions_and_its_calls_are_one_trace(
    traced: Traced, fake_psp: FakePsp
) -> None:
    account = await traced.owner.account()
    body = {"account": account, "amount": money(500), "payment_method": "tok_traced"}
    headers = PARENT | {"Idempotency-Key": "traced"}
    answer = await traced.owner.send("POST", "/v1/payments", json=body, headers=headers)
    assert answer.status_code == 201
    server = await traced.the_one("POST /v1/payments")
    assert (server.trace, server.service) == (TRACE, "payments")
    assert server.attributes["http.route"] == "/v1/payments"
    assert server.attributes["http.response.status_code"] == "201"
    inside = [span for span in await traced.spans() if span.parent == server.id]
    calls = [span for span in inside if span.name == "POST psp"]
    transactions = [span for span in inside if span.name == "transaction"]
    assert [call.attributes["http.response.status_code"] for call in calls] == ["201"]
    assert [one.attributes["payments.ended_by"] for one in transactions] == ["commit", "commit"]
    assert f"00-{TRACE}-{calls[0].id}-01" in fake_psp.traces


async def test_a_path_and_a_query_are_withheld(traced: Traced) -> None:
    account = await traced.owner.account()
    await traced.owner.get(f"/v1/accounts/{account}", cursor="not-for-traces")
    await traced.owner.get("/v1/not-for-traces")
    span = await traced.the_one("GET /v1/accounts/{account_id}")
    assert span.attributes["url.path"] == span.attributes["url.query"] == ""
    assert b"not-for-traces" not in traced.collector.raw
    assert str(traced.owner.token).encode() not in traced.collector.raw


async def test_a_failure_shows_by_its_type(traced: Traced, fake_psp: FakePsp) -> None:
    fake_psp.fault = "drop"
    account = await traced.owner.account()
    assert (await traced.owner.pay(account, 500)).status_code == 202
    calls = [span for span in await traced.spans() if span.name == "POST psp"]
    assert {span.attributes.get("error.type") for span in calls} == {"RemoteProtocolError"}


async def test_what_the_worker_settles_is_linked_to_the_request(
    traced: Traced, fake_psp: FakePsp
) -> None:
    account = await traced.owner.account()
    fake_psp.fault = "drop"
    payment = (await traced.owner.pay(account, 500)).json()["id"]
    fake_psp.fault = None
    async with traced.context.database.unit_of_work() as uow:
        operation = await uow.session.scalar(
            text(
                "UPDATE operations SET due_at = now() - interval '1 day' "
                "WHERE payment_id = :id RETURNING id"
            ),
            {"id": payment},
        )
    await reconciliation.of_due(traced.context)
    request = await traced.the_one("POST /v1/payments")
    job = await traced.the_one("operation job", **{"payments.object": operation})
    assert job.links == [request.trace]
    assert job.trace != request.trace
    assert [span for span in await traced.spans() if span.parent == job.id]


async def test_what_the_worker_submits_is_linked_to_the_approval(
    traced: Traced, fake_bank: FakeBank, fake_notifier: FakeNotifier
) -> None:
    account = await traced.owner.account(5_000)
    payee = {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"}
    operator = await traced.owner.client("operator")
    body = {"account": account, "amount": money(4_000), "payee": payee}
    payout = (await operator.post("/v1/payouts", body)).json()["id"]
    await traced.owner.post(f"/v1/payouts/{payout}/challenges", {})
    code = {"code": fake_notifier.code(payout)}
    assert (await traced.owner.post(f"/v1/payouts/{payout}/approve", code)).status_code == 200
    async with traced.context.database.unit_of_work() as uow:
        await uow.session.execute(
            text("UPDATE payouts SET due_at = now() - interval '1 day' WHERE id = :id"),
            {"id": payout},
        )
    await submission.of_due(traced.context)
    approval = await traced.the_one("POST /v1/payouts/{payout_id}/approve")
    job = await traced.the_one("payout job", **{"payments.object": payout})
    assert job.links == [approval.trace]
    (call,) = [
        span for span in await traced.spans() if span.parent == job.id and "bank" in span.name
    ]
    assert call.name == "POST bank"


async def test_what_the_worker_delivers_is_linked_to_the_change(
    traced: Traced, receiver_server: Receiver, names: Names
) -> None:
    names.points(NAME, ["127.0.0.1"])
    receiver_server.calls.clear()
    registered = await traced.owner.post("/v1/webhook-endpoints", {"url": receiver_server.url()})
    endpoint = registered.json()["id"]
    await traced.owner.account(500)
    await publish_all(traced.context)
    async with traced.context.database.unit_of_work() as uow:
        made = await uow.session.scalar(
            text(
                "UPDATE deliveries SET due_at = now() - interval '1 day' "
                "WHERE endpoint_id = :id RETURNING id"
            ),
            {"id": endpoint},
        )
    await delivery.of_due(traced.context)
    deposit = await traced.the_one("POST /v1/deposits")
    job = await traced.the_one("delivery job", **{"payments.object": made})
    assert job.links == [deposit.trace]
    sent = [call.headers["traceparent"].split("-")[1] for call in receiver_server.calls]
    assert job.trace in sent


async def test_a_connection_forgets_the_trace_before(traced: Traced) -> None:
    await traced.owner.account(500)
    async with traced.context.database.unit_of_work() as uow:
        query = "SELECT current_setting('payments.cause', true)"
        assert await uow.session.scalar(text(query)) in ("", None)


def test_nothing_is_loaded_unless_it_is_configured() -> None:
    code = (
        "import sys, payments.app, payments.worker;"
        "assert not any(name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))"
        " for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)


def test_what_is_not_installed_is_one_sentence(environment: dict[str, str]) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None;"
        "import payments.app as app; app.create_app()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "OTEL_EXPORTER_OTLP_ENDPOINT needs opentelemetry.sdk.trace" in ended.stderr
    assert "requirements-tracing.txt" in ended.stderr
    assert "Traceback" not in ended.stderr
