"""Rules 7.10 and 7.11: who did what."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payments.dependencies import Context
from testkit.api import Caller, Merchant, money, new_key
from testkit.names import Names
from testkit.notifier import FakeNotifier
from testkit.psp import FakePsp
from testkit.receiver import NAME, Receiver

PAYEE = {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"}


async def log(owner: Merchant, **which: object) -> list[dict[str, Any]]:
    """All records, oldest first, page by page."""
    found: list[dict[str, Any]] = []
    parameters: dict[str, object] = {"limit": 3, **which}
    while True:
        answer = await owner.get("/v1/audit", **parameters)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found[::-1]
        parameters["cursor"] = page["next_cursor"]


async def acts(owner: Merchant, **which: object) -> list[tuple[str, str, str]]:
    """Actor, action and object of each record."""
    return [(one["actor"], one["action"], one["object"]) for one in await log(owner, **which)]


async def test_making_and_ending_clients_is_noted(merchant: Merchant) -> None:
    body = {"name": "till", "role": "viewer"}
    made = await merchant.send(
        "POST", "/v1/clients", json=body, headers={"X-Request-Id": "the-request"}
    )
    client = made.json()
    await merchant.send("DELETE", f"/v1/clients/{client['id']}")
    created, deleted = await log(merchant, object=client["id"])
    assert (created["actor"], created["action"]) == (merchant.client_id, "client.created")
    assert (created["request_id"], created["details"]) == ("the-request", {"role": "viewer"})
    assert created["created_at"].endswith("Z")
    assert (deleted["actor"], deleted["action"]) == (merchant.client_id, "client.deleted")
    assert client["secret"] not in str([created, deleted])
    first = (await log(merchant))[0]
    assert (first["actor"], first["action"]) == ("administrator", "merchant.created")


async def test_a_rename_and_a_deposit_are_noted(merchant: Merchant) -> None:
    account = await merchant.account(700)
    how: dict[str, Any] = {"json": {"name": "new"}, "headers": {"If-Match": '"1"'}}
    assert (await merchant.send("PATCH", f"/v1/accounts/{account}", **how)).status_code == 200
    assert (await merchant.send("PATCH", f"/v1/accounts/{account}", **how)).status_code == 412
    (renamed,) = await log(merchant, object=account)
    assert (renamed["action"], renamed["details"]) == ("account.renamed", {"name": "new"})
    (deposit,) = [one for one in await log(merchant) if one["action"] == "deposit.created"]
    assert deposit["actor"] == "administrator"
    assert deposit["object"].startswith("dep_")
    assert deposit["details"] == {"account": account, "amount": money(700)}


async def test_refunds_and_voids_are_noted_once_whatever_becomes_of_them(
    merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    payment = (await merchant.pay(account, 1000)).json()["id"]
    path, body, key = f"/v1/payments/{payment}/refunds", {"amount": money(10)}, new_key()
    for _ in range(2):
        refund = (await merchant.post(path, body, key)).json()["id"]
    assert (await merchant.post(path, {"amount": money(5_000)})).status_code == 422
    fake_psp.declines = True
    assert (await merchant.post(path, {"amount": money(20)})).status_code == 402
    fake_psp.declines = False
    held = (await merchant.pay(account, 1000, capture=False)).json()["id"]
    assert (await merchant.post(f"/v1/payments/{held}/void", {})).status_code == 200
    noted = [one for one in await log(merchant) if one["action"].endswith("requested")]
    assert [one["action"] for one in noted] == ["refund.requested"] * 2 + ["void.requested"]
    assert noted[0]["object"] == refund
    assert noted[0]["details"] == {"payment": payment, "amount": money(10)}
    assert noted[1]["details"] == {"payment": payment, "amount": money(20)}
    assert noted[2]["object"] == held


async def test_each_hand_that_a_payout_goes_through_is_noted(
    merchant: Merchant, fake_notifier: FakeNotifier
) -> None:
    account = await merchant.account(10_000)
    made = await merchant.post("/v1/clients", {"name": "maker", "role": "operator"})
    maker = made.json()["id"]
    answer = await merchant.http.post(
        "/v1/token", json={"client_id": maker, "client_secret": made.json()["secret"]}
    )
    operator = Caller(merchant.http, answer.json()["access_token"])
    body = {"account": account, "amount": money(4_000), "payee": PAYEE}
    payout = (await operator.post("/v1/payouts", body)).json()["id"]
    await operator.send("PATCH", f"/v1/payouts/{payout}", json={"amount": money(4_100)})
    await merchant.post(f"/v1/payouts/{payout}/challenges", {})
    code = fake_notifier.code(payout)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    assert (
        await merchant.post(f"/v1/payouts/{payout}/approve", {"code": wrong})
    ).status_code == 422
    assert (await operator.post(f"/v1/payouts/{payout}/approve", {"code": code})).status_code == 403
    assert (await merchant.post(f"/v1/payouts/{payout}/approve", {"code": code})).status_code == 200
    assert await acts(merchant, object=payout) == [
        (maker, "payout.created", payout),
        (maker, "payout.changed", payout),
        (merchant.client_id, "payout.code_requested", payout),
        (merchant.client_id, "payout.code_refused", payout),
        (merchant.client_id, "payout.approved", payout),
    ]
    created, changed, *_ = records = await log(merchant, object=payout)
    assert created["details"]["payee"] == PAYEE
    assert changed["details"] == {"amount": money(4_100)}
    assert code not in str(records)
    other = (await operator.post("/v1/payouts", body)).json()["id"]
    await operator.post(f"/v1/payouts/{other}/cancel", {})
    assert (await acts(merchant, object=other))[-1] == (maker, "payout.cancelled", other)


async def test_what_becomes_of_an_endpoint_is_noted_without_its_secrets(
    merchant: Merchant, receiver_server: Receiver, names: Names
) -> None:
    names.points(NAME, ["127.0.0.1"])
    url = f"{receiver_server.url()}?key=hidden"
    made = (await merchant.post("/v1/webhook-endpoints", {"url": url})).json()
    path = f"/v1/webhook-endpoints/{made['id']}"
    await merchant.send("PATCH", path, json={"disabled": True})
    rotated = (await merchant.post(f"{path}/rotate", {})).json()
    await merchant.send("DELETE", path)
    records = await log(merchant, object=made["id"])
    assert [one["action"].partition(".")[2] for one in records] == [
        "registered",
        "changed",
        "secret_rotated",
        "deleted",
    ]
    assert [one["details"] for one in records] == [{"host": NAME}, {"disabled": True}, {}, {}]
    assert not any(word in str(records) for word in (made["secret"], rotated["secret"], "hidden"))


async def test_only_the_merchants_owners_read_it(
    merchant: Merchant, other: Merchant, admin: Caller
) -> None:
    account = await merchant.account(100)
    assert await log(other, object=account) == []
    own = {one["id"] for one in await log(merchant)}
    assert len(own) >= 2
    assert not own & {one["id"] for one in await log(other)}
    for caller in (await merchant.client("operator"), await merchant.client("viewer"), admin):
        assert (await caller.get("/v1/audit")).status_code == 403
    foreign = (await merchant.get("/v1/audit", limit=1)).json()["next_cursor"]
    assert (await other.get("/v1/audit", cursor=foreign)).status_code == 422


async def test_what_money_does_by_itself_leaves_no_record(merchant: Merchant) -> None:
    source, target = await merchant.account(1000), await merchant.account()
    before = await acts(merchant)
    body = {"from": source, "to": target, "amount": money(100)}
    assert (await merchant.post("/v1/transfers", body)).status_code == 201
    assert await acts(merchant) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET actor = 'me'",
        "DELETE FROM audit_records",
        "TRUNCATE audit_records",
    ],
)
async def test_the_database_refuses_to_change_it(
    merchant: Merchant, context: Context, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="immutable"):
        async with context.database.unit_of_work() as uow:
            await uow.session.execute(text(statement))


async def test_a_record_goes_with_its_act_or_not_at_all(
    merchant: Merchant, context: Context
) -> None:
    uow = context.database.unit_of_work()
    block = (
        "CREATE OR REPLACE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN IF NEW.merchant_id = TG_ARGV[0] THEN RAISE EXCEPTION 'no'; END IF; "
        "RETURN NEW; END$$"
    )
    trigger = (
        "CREATE TRIGGER refuse_audit BEFORE INSERT ON audit_records "
        f"FOR EACH ROW EXECUTE FUNCTION refuse_audit('{merchant.id}')"
    )
    async with uow:
        await uow.session.execute(text(block))
        await uow.session.execute(text(trigger))
    try:
        answer = await merchant.post("/v1/clients", {"name": "lost", "role": "viewer"})
        assert answer.status_code == 500
    finally:
        async with uow:
            await uow.session.execute(text("DROP TRIGGER refuse_audit ON audit_records"))
            await uow.session.execute(text("DROP FUNCTION refuse_audit"))
    shown = (await merchant.get("/v1/clients")).json()["data"]
    assert [client["name"] for client in shown] == ["owner"]
