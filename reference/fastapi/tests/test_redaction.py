"""Rule 7.2: what the logs hold, and what never reaches them."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import text

from payments.dependencies import Context
from payments.kit.logging import configure, logger
from testkit.api import ADMIN_TOKEN, Merchant, money
from testkit.bank import FakeBank
from testkit.fx import FakeFx
from testkit.names import Names
from testkit.notices import SECRETS, bring
from testkit.notifier import FakeNotifier
from testkit.processes import PATIENCE, process, replica_process
from testkit.psp import FakePsp
from testkit.receiver import NAME, Receiver

CARD = "4242424242424242"
PAYEE = {"name": "Whispering Elm", "bank_account": "GB99SECRET00001111"}
QUOTED = {"name": "Quoted Payee", "bank_account": "GB99QUOTED00002222"}
WORDS = ("hush-reference", "hush-description", "hush-query", "hush-cvv")


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@contextmanager
def configured() -> Iterator[None]:
    """The service's logging within the block, and pytest's after it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure("debug")
    yield
    configure("info")
    root.handlers = handlers
    root.setLevel(level)


def test_a_member_that_nobody_allowed_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with configured():
        logger().info("request", status=200, token="hush", body={"name": "hush"}, why="x" * 500)
    (line,) = lines(capfd.readouterr().out)
    assert line["status"] == 200
    assert len(line["why"]) == 200
    assert line.keys() == {"event", "level", "timestamp", "status", "why"}


class Strict(BaseModel):
    """Quotes what does not fit."""

    amount: int


def test_an_exception_shows_by_type_and_place_with_those_behind_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    try:
        try:
            Strict.model_validate({"amount": "hush"})
        except ValidationError as error:
            raise LookupError("hush") from error
    except LookupError:
        with configured():
            logger().exception("request_failed")
    (line,) = lines(capfd.readouterr().out)
    assert [one["type"] for one in line["exception"]] == ["LookupError", "ValidationError"]
    assert "test_redaction:" in line["exception"][0]["at"][-1]
    assert "hush" not in json.dumps(line)


def test_a_library_shows_by_name_and_place(capfd: pytest.CaptureFixture[str]) -> None:
    with configured():
        try:
            int("hush")
        except ValueError:
            logging.getLogger("somebody.else").exception("connecting to %s", "amqp://me:hush@host")
        logging.getLogger("uvicorn.error").error("Application startup failed.\nValueError: hush")
    foreign, known = lines(capfd.readouterr().out)
    assert (foreign["event"], foreign["library"]) == ("library", "somebody.else")
    assert foreign["place"].startswith("test_redaction:")
    assert [one["type"] for one in foreign["exception"]] == ["ValueError"]
    assert known["event"] == "Application startup failed."
    assert "hush" not in json.dumps([foreign, known])


async def payouts(owner: Merchant, account: str, notifier: FakeNotifier) -> tuple[str, ...]:
    """A payout on its way, one with a wrong code, one that the database refuses; the codes."""
    operator = await owner.client("operator")
    body = {"account": account, "amount": money(4_000), "reference": WORDS[0]}
    made = (await operator.post("/v1/payouts", body | {"payee": PAYEE})).json()["id"]
    await operator.send("PATCH", f"/v1/payouts/{made}", json={"amount": money(4_100)})
    await owner.post(f"/v1/payouts/{made}/challenges", {})
    code = notifier.code(made)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    approve = f"/v1/payouts/{made}/approve"
    assert (await owner.post(approve, {"code": wrong})).status_code == 422
    assert (await owner.post(approve, {"code": code})).status_code == 200
    refused = await operator.post("/v1/payouts", body | {"payee": QUOTED})
    assert refused.status_code == 500
    assert QUOTED["name"] not in refused.text
    return code, wrong, str(operator.token)


async def payments(owner: Merchant, account: str, psp: FakePsp) -> None:
    """Payments that go well, are declined, stay open, or hold card data."""
    told = {"reference": WORDS[0], "description": WORDS[1]}
    assert (await owner.pay(account, 1000, **told)).status_code == 201
    held = (await owner.pay(account, 1000, capture=False, **told)).json()["id"]
    await owner.post(f"/v1/payments/{held}/void", {})
    for odd in ({"cvv": WORDS[3]}, {"number": CARD}, {"reference": CARD}, {CARD: 1}):
        assert (await owner.pay(account, 1000, **odd)).status_code == 422
    psp.declines = True
    assert (await owner.pay(account, 1000, **told)).status_code == 402
    psp.declines = False
    for fault in ("drop", "nonsense", "500", "422"):
        psp.fault = fault
        await owner.pay(account, 1000, **told)
    psp.fault = None


async def everything_else(owner: Merchant, account: str) -> None:
    """Transfers, quotes, notices, and requests that nobody understands."""
    other = await owner.account()
    body = {"from": account, "to": other, "amount": money(10), "reference": WORDS[0]}
    made = (await owner.post("/v1/transfers", body)).json()["id"]
    await owner.post(f"/v1/transfers/{made}/reversal", {})
    yen = await owner.account(0, "JPY")
    quote = await owner.post("/v1/quotes", {"from": account, "to": yen, "amount": money(100)})
    await owner.post(f"/v1/quotes/{quote.json().get('id')}/execute", {})
    await owner.get("/v1/accounts", cursor=WORDS[2])
    await owner.get(f"/v1/{CARD}")
    await owner.send("POST", "/v1/accounts", content=b'{"name": "' + WORDS[0].encode())
    for party in ("bank", "psp"):
        await bring(owner.http, party, {"id": "ntc_1", "operation": {"reason": WORDS[1]}})
        await bring(owner.http, party, {}, signature=f"t=1,v1={WORDS[3]}")
    wrong = {"client_id": owner.client_id, "client_secret": WORDS[3]}
    assert (await owner.http.post("/v1/token", json=wrong)).status_code == 401


async def settled(owner: Merchant, context: Context) -> None:
    """Wait until the worker has submitted, delivered and settled."""
    query = (
        "SELECT (SELECT count(*) FROM payouts WHERE merchant_id = :id AND status = 'approved')"
        " + (SELECT count(*) FROM operations o JOIN payments p ON p.id = o.payment_id"
        "    WHERE p.merchant_id = :id AND o.status IN ('pending', 'unknown'))"
        " + (SELECT count(*) FROM events WHERE merchant_id = :id AND published_at IS NULL)"
        " + (SELECT count(*) FROM deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
        "    WHERE e.merchant_id = :id AND d.attempts = 0)"
    )
    async with asyncio.timeout(PATIENCE):
        while True:
            async with context.database.unit_of_work() as uow:
                if not await uow.session.scalar(text(query), {"id": owner.id}):
                    return
            await asyncio.sleep(0.05)


async def test_a_run_of_all_flows_leaves_no_secret_in_the_logs(
    environment: Mapping[str, str],
    merchant: Merchant,
    context: Context,
    fake_psp: FakePsp,
    fake_fx: FakeFx,
    fake_bank: FakeBank,
    fake_notifier: FakeNotifier,
    receiver_server: Receiver,
    names: Names,
    tmp_path: Path,
) -> None:
    names.points(NAME, ["127.0.0.1"])
    receiver_server.answers.extend([500, 302])
    log = tmp_path / "log"
    chatty = {**environment, "LOG_LEVEL": "debug", "METRICS_INTERVAL_SECONDS": "0.1"}
    rule = "ALTER TABLE payouts ADD CONSTRAINT no_quoted CHECK (payee_name <> 'Quoted Payee')"
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(text(f"{rule} NOT VALID"))
    try:
        with log.open("wb") as file:
            worker = process(chatty, "-m", "payments.worker", log=file.fileno())
            async with replica_process(chatty, log=file.fileno()) as (_, http):
                owner = replace(merchant, http=http)
                hooks = await owner.post("/v1/webhook-endpoints", {"url": receiver_server.url()})
                account = await owner.account(50_000)
                codes = await payouts(owner, account, fake_notifier)
                await payments(owner, account, fake_psp)
                await everything_else(owner, account)
                with worker:
                    await settled(owner, context)
                await owner.send("DELETE", f"/v1/webhook-endpoints/{hooks.json()['id']}")
    finally:
        receiver_server.answers.clear()
        async with context.database.unit_of_work() as uow:
            await uow.session.execute(text("ALTER TABLE payouts DROP CONSTRAINT no_quoted"))
    out = log.read_text()
    key = environment["JWT_PRIVATE_KEY"].split("\\n")[1]
    secrets = [
        *(ADMIN_TOKEN, str(merchant.token), merchant.secret, hooks.json()["secret"], key),
        *(value for name, value in environment.items() if name.endswith("_API_KEY")),
        *(environment["DATABASE_URL"], *SECRETS.values(), *codes, CARD, *WORDS),
        *(*PAYEE.values(), *QUOTED.values()),
    ]
    assert len(secrets) >= 20
    assert [secret for secret in secrets if secret in out] == []
    seen = lines(out)
    events = {line["event"] for line in seen}
    assert {"request", "request_failed", "webhook", "payout_advanced", "reconciled"} <= events
    (failed,) = [line for line in seen if line["event"] == "request_failed"]
    assert failed["exception"][0]["type"] == "IntegrityError"
    assert "23514" in [one.get("sqlstate") for one in failed["exception"]]
    assert {"psp_attempt_failed", "worker_started"} <= events
