"""Rules 6.17 to 6.25 and section 9: the card processor, and what is believed of it."""

import asyncio
import json
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from payments.app import create_app
from payments.kit.outbound import Reply
from payments.kit.settings import Settings
from payments.psp import replies
from payments.psp.breaker import Breaker
from payments.psp.client import PspClient
from payments.psp.protocol import (
    Ambiguous,
    Declined,
    Instruction,
    NotDone,
    OperationType,
    Outcome,
    Succeeded,
)
from testkit.api import Merchant, money, new_key, new_merchant
from testkit.psp import FakePsp

REFUND = Instruction("op_1", OperationType.REFUND, 1250, "GBP", authorisation="auth_1")
TOLD: dict[str, object] = {
    "id": "op_x",
    "type": "refund",
    "authorisation": "auth_1",
    "status": "succeeded",
    "amount": "12.50",
    "currency": "GBP",
    "reference": "op_1",
    "reason": None,
}


def said(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (said(201, TOLD), Succeeded("auth_1")),
        (said(201, TOLD | {"status": "declined", "reason": "no"}), Declined("no")),
        (said(422, {"error": "unknown_token"}), Declined("unknown_token")),
        (said(404, {"error": "not_found"}), Declined("not_found")),
        (said(429, {"error": "busy"}), NotDone(1.0)),
    ],
)
def test_what_is_believed(reply: Reply, outcome: Outcome) -> None:
    assert replies.of_post(REFUND, reply) == outcome


@pytest.mark.parametrize(
    "reply",
    [
        *(said(201, TOLD | {member: "other"}) for member in TOLD if member not in {"id", "reason"}),
        *(said(201, {k: v for k, v in TOLD.items() if k != member}) for member in list(TOLD)[:7]),
        said(201, TOLD | {"amount": 12.5}),
        said(201, TOLD | {"amount": "12.5"}),
        said(201, [TOLD]),
        said(200, None),
        said(204, TOLD),
        said(302, TOLD),
        said(401, {"error": "who"}),
        said(409, {"error": "key_reused"}),
        said(404, "gone"),
        said(503, TOLD),
        Reply(422, b"<html>"),
        Reply(201, b""),
        Reply(201, b"\xff"),
        Reply(201, b"[" * 100_000),
    ],
)
def test_everything_else_is_ambiguous(reply: Reply) -> None:
    assert isinstance(replies.of_post(REFUND, reply), Ambiguous)


@given(st.integers(100, 599), st.binary(max_size=60))
def test_no_rubbish_is_ever_a_success(status: int, body: bytes) -> None:
    assert not isinstance(replies.of_post(REFUND, Reply(status, body)), Succeeded)


def test_a_look_up_that_finds_nothing_says_nothing() -> None:
    assert replies.of_look_up(REFUND, said(404, {"error": "not_found"})) is None
    assert replies.of_look_up(REFUND, said(200, TOLD)) == Succeeded("auth_1")
    for reply in (said(422, {"error": "x"}), said(500, {}), Reply(404, b"nginx")):
        assert isinstance(replies.of_look_up(REFUND, reply), Ambiguous)


def test_a_breaker_opens_after_faults_in_a_row_and_tries_again() -> None:
    now = 0.0
    breaker = Breaker(3, 2.0, clock=lambda: now)

    def call(fault: bool | None) -> None:
        with breaker.call() as made:
            made.fault = fault

    for fault in (True, True, False, True, True, None):
        call(fault)
        assert breaker.wait() is None
    call(True)
    assert breaker.wait() == 2.0
    now = 1.5
    assert breaker.wait() == 0.5
    now = 2.5
    assert breaker.wait() is None
    with breaker.call() as trial:
        assert breaker.wait() == 2.0
        trial.fault = True
    assert breaker.wait() == 2.0
    now = 5.0
    call(False)
    for fault in (True, True):
        call(fault)
    assert breaker.wait() is None


def test_a_call_that_raises_does_not_jam_the_breaker() -> None:
    now = 0.0
    breaker = Breaker(1, 2.0, clock=lambda: now)
    with breaker.call() as made:
        made.fault = True
    now = 3.0
    with pytest.raises(RuntimeError), breaker.call():
        raise RuntimeError
    assert breaker.wait() is None


async def configured(settings: Settings, **changed: object) -> tuple[httpx.AsyncClient, Merchant]:
    """A replica of its own, with other settings."""
    app = create_app(settings.model_copy(update=changed))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://payments")
    return http, await new_merchant(http)


async def test_the_breaker_answers_at_once_and_does_nothing(
    settings: Settings, fake_psp: FakePsp
) -> None:
    http, merchant = await configured(settings, breaker_failures=4, breaker_reset_seconds=0.3)
    account, key = await merchant.account(), new_key()
    body = {"account": account, "amount": money(1000), "payment_method": "tok_ax"}
    kept = await merchant.post("/v1/payments", body, key)
    fake_psp.declines = True
    for _ in range(6):
        assert (await merchant.pay(account, 100)).status_code == 402
    fake_psp.declines = False
    fake_psp.fault = "500"
    for _ in range(2):
        assert (await merchant.pay(account, 100)).status_code == 202
    asked = len(fake_psp.journal)
    before = (await merchant.get("/v1/payments")).json()
    opened = await merchant.pay(account, 100)
    assert (opened.status_code, opened.json()["code"]) == (503, "psp_unavailable")
    assert int(opened.headers["retry-after"]) <= 2
    repeat = await merchant.post("/v1/payments", body, key)
    assert (repeat.status_code, repeat.json()) == (201, kept.json())
    assert len(fake_psp.journal) == asked
    assert (await merchant.get("/v1/payments")).json() == before
    fake_psp.fault = None
    await asyncio.sleep(0.35)
    assert (await merchant.pay(account, 100)).status_code == 201
    await http.aclose()


async def test_the_deadline_holds_over_all_attempts(settings: Settings, fake_psp: FakePsp) -> None:
    client = PspClient(settings.model_copy(update={"psp_max_attempts": 10}))
    fake_psp.fault = "hang"
    started = time.monotonic()
    outcome = await client.perform(REFUND)
    assert isinstance(outcome, Ambiguous)
    assert time.monotonic() - started < settings.psp_deadline_seconds + 0.5
    await client.close()


async def test_a_psp_that_is_not_there_is_ambiguous(settings: Settings) -> None:
    client = PspClient(settings.model_copy(update={"psp_url": "http://127.0.0.1:1"}))
    assert isinstance(await client.perform(REFUND), Ambiguous)
    await client.close()


async def test_no_connection_is_held_while_the_psp_is_asked(
    settings: Settings, fake_psp: FakePsp
) -> None:
    # Nobody gives up, and no claim is renewed, for as long as this takes on a busy machine.
    patient = {"psp_deadline_seconds": 60, "psp_max_attempts": 1000, "claim_lease_seconds": 300}
    app = create_app(settings.model_copy(update=patient))
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://payments", timeout=60
    )
    merchant = await new_merchant(http)
    account = await merchant.account()
    pool = app.state.context.database._engine.pool
    fake_psp.fault = "hang"
    paying = [asyncio.create_task(merchant.pay(account, 100)) for _ in range(20)]
    async with asyncio.timeout(60):
        while len(fake_psp.keys()) < 20 or pool.checkedout():
            await asyncio.sleep(0.01)
    assert not any(payment.done() for payment in paying)
    fake_psp.reset()
    for answer in await asyncio.gather(*paying):
        assert answer.status_code in {201, 202}
    await http.aclose()
    await app.state.context.close()


async def test_a_page_takes_as_many_statements_however_long_it_is(
    settings: Settings, fake_psp: FakePsp
) -> None:
    app = create_app(settings)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://payments")
    merchant = await new_merchant(http)
    account = await merchant.account(1000)
    for amount in (100, 200, 300, 400):
        payment = (await merchant.pay(account, amount)).json()
        await merchant.post(f"/v1/payments/{payment['id']}/refunds", {"amount": money(1)})
    statements: list[str] = []
    engine = app.state.context.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    counts = []
    for limit in (1, 4):
        statements.clear()
        page = (await merchant.get("/v1/payments", limit=limit)).json()["data"]
        assert all(len(payment["refunds"]) == 1 for payment in page)
        counts.append(len(statements))
    assert counts == [2, 2]
    await http.aclose()
    await app.state.context.close()
