"""Section 10 of the contract: quotes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from payments.app import create_app
from payments.dependencies import Context
from payments.kit.settings import Settings
from testkit.api import Merchant, money, new_key
from testkit.fx import FakeFx


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def _nothing_to_compare_with(context: Context) -> None:
    """Quotes of other tests at other rates are no last good rates of this one's."""
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(text("UPDATE quotes SET created_at = now() - interval '2 days'"))


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A replica whose quotes expire at once."""
    app = create_app(settings.model_copy(update={"quote_ttl_seconds": 0.001}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://payments"
    ) as http:
        yield http
    await app.state.context.close()


async def pair(merchant: Merchant, funds: int = 10_000) -> tuple[str, str]:
    """An account with pounds, and one for yen."""
    return await merchant.account(funds), await merchant.account(0, "JPY")


async def quoted(merchant: Merchant, pounds: str, yen: str, amount: int = 10_000) -> dict[str, Any]:
    body = {"from": pounds, "to": yen, "amount": money(amount)}
    made = await merchant.post("/v1/quotes", body)
    assert made.status_code == 201, made.text
    shown: dict[str, Any] = made.json()
    return shown


async def test_a_quote_is_priced_shown_and_executed_once(
    merchant: Merchant, fake_fx: FakeFx
) -> None:
    fake_fx.rate = "191.25"
    pounds, yen = await pair(merchant)
    quote = await quoted(merchant, pounds, yen)
    assert (quote["sell"], quote["fee"]) == (money(10_000), money(50))
    assert (quote["buy"], quote["rate"]) == (money(19_029, "JPY"), "191.25")
    assert (quote["status"], quote["executed_at"]) == ("open", None)
    lives = datetime.fromisoformat(quote["expires_at"]) - datetime.fromisoformat(
        quote["created_at"]
    )
    assert lives.total_seconds() == 60
    assert (await merchant.get(f"/v1/quotes/{quote['id']}")).json() == quote
    assert (await merchant.get("/v1/quotes")).json()["data"] == [quote]
    assert await merchant.balance(pounds) == (10_000, 0, 10_000)

    # The market moves; the price stands.
    fake_fx.rate = "150"
    path, key = f"/v1/quotes/{quote['id']}/execute", new_key()
    done = await merchant.post(path, {}, key)
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "executed"
    assert done.json()["executed_at"] is not None
    assert await merchant.balance(pounds) == (0, 0, 0)
    assert await merchant.balance(yen) == (19_029, 0, 19_029)

    again = await merchant.post(path, {}, key)
    assert (again.status_code, again.json()) == (200, done.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    other_key = await merchant.post(path, {})
    assert (other_key.status_code, other_key.json()["code"]) == (409, "quote_executed")
    (entry,) = await merchant.entries(yen)
    assert (entry["kind"], entry["reference"]) == ("conversion_purchase", quote["id"])


async def test_a_conversion_balances_in_both_currencies(
    merchant: Merchant, fake_fx: FakeFx, context: Context
) -> None:
    pounds, yen = await pair(merchant)
    quote = await quoted(merchant, pounds, yen)
    await merchant.post(f"/v1/quotes/{quote['id']}/execute", {})
    legs = """
        SELECT e.account_id, e.currency, e.amount FROM entries e
        JOIN transactions t ON t.id = e.transaction_id WHERE t.reference = :quote
    """
    async with context.database.unit_of_work() as uow:
        rows = (await uow.session.execute(text(legs), {"quote": quote["id"]})).all()
    assert {tuple(row) for row in rows} == {
        (pounds, "GBP", -10_000),
        ("fees:GBP", "GBP", 50),
        ("fx_clearing:GBP", "GBP", 9_950),
        ("fx_clearing:JPY", "JPY", -124),
        (yen, "JPY", 124),
    }


async def test_of_simultaneous_executions_one_converts(
    merchant: Merchant, fake_fx: FakeFx, replicas: list[httpx.AsyncClient]
) -> None:
    pounds, yen = await pair(merchant, 20_000)
    quote = await quoted(merchant, pounds, yen)
    callers = [merchant.on(replicas[number % 2]) for number in range(6)]
    path = f"/v1/quotes/{quote['id']}/execute"
    answers = await asyncio.gather(*(caller.post(path, {}) for caller in callers))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert await merchant.balance(pounds) == (10_000, 0, 10_000)


async def test_an_expired_quote_is_not_executed(
    merchant: Merchant, fake_fx: FakeFx, hasty: httpx.AsyncClient
) -> None:
    pounds, yen = await pair(merchant)
    quote = await quoted(Merchant(hasty, merchant.token), pounds, yen)
    assert (await merchant.get(f"/v1/quotes/{quote['id']}")).json()["status"] == "expired"
    answer = await merchant.post(f"/v1/quotes/{quote['id']}/execute", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "quote_expired")
    assert await merchant.balance(pounds) == (10_000, 0, 10_000)


async def test_what_is_not_there_is_not_converted(merchant: Merchant, fake_fx: FakeFx) -> None:
    pounds, yen = await pair(merchant, 9_999)
    quote = await quoted(merchant, pounds, yen)
    path, key = f"/v1/quotes/{quote['id']}/execute", new_key()
    answer = await merchant.post(path, {}, key)
    assert (answer.status_code, answer.json()["code"]) == (422, "insufficient_funds")
    assert (await merchant.get(f"/v1/quotes/{quote['id']}")).json()["status"] == "open"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"from": "theirs"}, 404, "account_not_found"),
        ({"to": "their yen"}, 404, "account_not_found"),
        ({"to": "acc_" + "0" * 32}, 404, "account_not_found"),
        ({"to": "other pounds"}, 422, "same_currency"),
        ({"to": "pounds"}, 422, "same_currency"),
        ({"amount": money(1, "JPY")}, 422, "currency_mismatch"),
        ({"amount": money(0)}, 422, "validation_failed"),
        ({"rate": "1000"}, 422, "validation_failed"),
        ({"amount": money(1)}, 422, "amount_too_small"),
        ({"amount": money(10**12)}, 422, "amount_too_large"),
    ],
)
async def test_quotes_that_are_refused(
    merchant: Merchant,
    other: Merchant,
    fake_fx: FakeFx,
    change: dict[str, Any],
    status: int,
    code: str,
) -> None:
    # A penny buys less than a yen; a trillion pence buy more than can be moved.
    fake_fx.rate = "50" if code == "amount_too_small" else "191.25"
    pounds, yen = await pair(merchant)
    theirs, their_yen = await pair(other)
    names = {
        "pounds": pounds,
        "theirs": theirs,
        "their yen": their_yen,
        "other pounds": await merchant.account(),
    }
    changed = {k: names.get(v, v) if isinstance(v, str) else v for k, v in change.items()}
    body = {"from": pounds, "to": yen, "amount": money(100)} | changed
    answer = await merchant.post("/v1/quotes", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "fault",
    [
        {"rate": "0"},
        {"rate": "-1.25"},
        {"rate": "NaN"},
        {"age": 301.0},
        {"age": -61.0},
        {"changed": {"quote": "EUR"}},
        {"changed": {"rate": 1.25}},
        {"status": 500},
        {"status": 404},
        {"body": b"<html>"},
        {"body": b"x" * 100_000},
    ],
    ids=str,
)
async def test_a_rate_that_cannot_be_believed_gives_no_quote(
    merchant: Merchant, fake_fx: FakeFx, fault: dict[str, Any]
) -> None:
    pounds, yen = await pair(merchant)
    for name, value in fault.items():
        setattr(fake_fx, name, value)
    answer = await merchant.post("/v1/quotes", {"from": pounds, "to": yen, "amount": money(1000)})
    assert (answer.status_code, answer.json()["code"]) == (503, "rate_unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert (await merchant.get("/v1/quotes")).json()["data"] == []


async def test_a_rate_far_from_the_last_one_gives_no_quote(
    merchant: Merchant, other: Merchant, fake_fx: FakeFx
) -> None:
    fake_fx.rate = "190"
    await quoted(other, *await pair(other))
    fake_fx.rate = "209.1"
    pounds, yen = await pair(merchant)
    answer = await merchant.post("/v1/quotes", {"from": pounds, "to": yen, "amount": money(1000)})
    assert (answer.status_code, answer.json()["code"]) == (503, "rate_unavailable")
    fake_fx.rate = "209"
    await quoted(merchant, pounds, yen)


async def test_nobody_elses_quote_is_seen_or_executed(
    merchant: Merchant, other: Merchant, fake_fx: FakeFx
) -> None:
    quote = await quoted(merchant, *await pair(merchant))
    assert (await other.get(f"/v1/quotes/{quote['id']}")).status_code == 404
    assert (await other.post(f"/v1/quotes/{quote['id']}/execute", {})).status_code == 404
    assert (await other.get("/v1/quotes")).json()["data"] == []


async def test_a_viewer_neither_prices_nor_executes(merchant: Merchant, fake_fx: FakeFx) -> None:
    pounds, yen = await pair(merchant)
    quote = await quoted(merchant, pounds, yen)
    viewer = await merchant.client("viewer")
    body = {"from": pounds, "to": yen, "amount": money(1000)}
    assert (await viewer.post("/v1/quotes", body)).status_code == 403
    assert (await viewer.post(f"/v1/quotes/{quote['id']}/execute", {})).status_code == 403
    assert (await viewer.get(f"/v1/quotes/{quote['id']}")).status_code == 200


async def test_quotes_are_paged(merchant: Merchant, fake_fx: FakeFx) -> None:
    pounds, yen = await pair(merchant)
    made = [(await quoted(merchant, pounds, yen, 1000 + n))["id"] for n in range(5)]
    first = (await merchant.get("/v1/quotes", limit=3)).json()
    rest = (await merchant.get("/v1/quotes", limit=3, cursor=first["next_cursor"])).json()
    assert [one["id"] for one in first["data"] + rest["data"]] == made[::-1]
    assert rest["next_cursor"] is None


async def test_without_a_provider_there_are_no_rates(
    merchant: Merchant, settings: Settings
) -> None:
    app = create_app(settings.model_copy(update={"fx_url": ""}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://payments"
    ) as http:
        pounds, yen = await pair(merchant)
        body = {"from": pounds, "to": yen, "amount": money(1000)}
        answer = await merchant.on(http).post("/v1/quotes", body)
        assert (answer.status_code, answer.json()["code"]) == (503, "rate_unavailable")
    await app.state.context.close()


async def test_no_connection_is_held_while_the_provider_takes_its_time(
    merchant: Merchant, fake_fx: FakeFx, context: Context
) -> None:
    pounds, yen = await pair(merchant)
    fake_fx.hangs = True
    body = {"from": pounds, "to": yen, "amount": money(1000)}
    asking = asyncio.create_task(merchant.post("/v1/quotes", body))
    async with asyncio.timeout(10):
        while not fake_fx.asked:
            await asyncio.sleep(0.005)
    held = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    async with context.database.unit_of_work() as uow:
        assert await uow.session.scalar(text(held)) == 0
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (503, "rate_unavailable")
