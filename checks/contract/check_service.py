"""The service runs, and answers in the contract's form."""

from __future__ import annotations

import re

from checks import contract
from checks.amounts import money
from checks.attachment import Testbed
from checks.client import Client
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.registry import check
from checks.tenants import Merchant, Platform
from checks.verdicts import Broken

_LARGEST = 64 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


@check(competencies=("operations.observability",))
async def the_service_is_ready(platform: Platform, testbed: Testbed, fresh: Fresh) -> None:
    """Every replica says that it is alive and ready."""
    for replica in testbed.replicas:
        client = platform.anonymous.on(replica)
        for path in ("/healthz", "/readyz"):
            answer = (await client.get(path)).expect(200)
            if answer.members.get("status") != "ok":
                raise Broken(f'{answer} without "status": "ok".')


@check(needs=contract.merchants, competencies=("operations.observability",))
async def every_answer_names_its_request(alice: Merchant, fresh: Fresh) -> None:
    """Every answer carries a request id: the caller's own, or a new one."""
    own = f"{fresh.word()}.{fresh.number(1, 999)}"
    echoed = await alice.get("/v1/accounts", headers={"X-Request-Id": own})
    if echoed.headers.get("X-Request-Id") != own:
        raise Broken(f"{echoed} without the caller's X-Request-Id {own}.")
    answers = [await alice.get("/v1/accounts"), await alice.get(f"/v1/{fresh.word()}")]
    ids = [answer.headers.get("X-Request-Id", "") for answer in answers]
    if not all(_REQUEST_ID.match(id_) for id_ in ids) or len(set(ids)) != len(ids):
        raise Broken(f"Requests without an id of their own were given X-Request-Id {ids}.")


@check(needs=contract.accounts, competencies=("api.contract",))
async def errors_are_problem_details(alice: Merchant, platform: Platform, fresh: Fresh) -> None:
    """Errors are RFC 9457 problem details with a stable code."""
    expect_problem(await alice.get(f"/v1/{fresh.word()}"), 404)
    expect_problem(await alice.get(f"/v1/accounts/acc_{fresh.word(26)}"), 404)
    expect_problem(await alice.get(f"/v1/payments/{fresh.word(12)}"), 404)
    wrong_method = await alice.request("PUT", "/v1/accounts", {})
    expect_problem(wrong_method, 405)
    if "Allow" not in wrong_method.headers:
        raise Broken(f"{wrong_method} without Allow.")
    anonymous = await platform.anonymous.get("/v1/accounts")
    expect_problem(anonymous, 401, code="unauthenticated")
    if "WWW-Authenticate" not in anonymous.headers:
        raise Broken(f"{anonymous} without WWW-Authenticate.")


@check(needs=contract.accounts, competencies=("api.validation",))
async def a_malformed_body_is_refused(alice: Merchant, fresh: Fresh) -> None:
    """A body that is not JSON, too large, of another type or of the wrong shape is refused."""
    path = "/v1/accounts"
    expect_problem(await alice.post(path, content=b'{"name": "'), 400, 422)
    expect_problem(await alice.post(path, content=b'{"name": "\xff\xfe"}'), 400, 422)
    expect_problem(await alice.post(path, [fresh.word()]), 422)
    expect_problem(await alice.post(path, {"name": fresh.name()}), 422)
    expect_problem(await alice.post(path, {"name": 7, "currency": "GBP"}), 422)
    expect_problem(await alice.post(path, {"name": "", "currency": "GBP"}), 422)
    expect_problem(await alice.post(path, {"name": "a\u0000b", "currency": "GBP"}), 422)
    expect_problem(await alice.post(path, {"name": fresh.word(141), "currency": "GBP"}), 422)
    expect_problem(await alice.post(path, {"name": fresh.name(), "currency": "QQQ"}), 422)
    large = {"name": fresh.word(_LARGEST + 1), "currency": "GBP"}
    expect_problem(await alice.post(path, large), 413)
    other_type = {"Content-Type": "text/plain"}
    form = b'{"name": "Elm Books", "currency": "GBP"}'
    expect_problem(await alice.post(path, content=form, headers=other_type), 415)


@check(
    needs=(*contract.transfers, *contract.sales, *contract.refunds),
    competencies=("api.validation",),
)
async def unknown_members_are_refused(alice: Merchant, platform: Platform, fresh: Fresh) -> None:
    """A body with a member that the contract does not name is refused, and does nothing."""
    account, other = await alice.funded(), await alice.open_account()
    payment = await alice.pay(account=account)
    before = await alice.account(account)
    amount = fresh.money(100, 500)
    bodies: dict[str, dict[str, object]] = {
        "/v1/accounts": {"name": fresh.name(), "currency": "GBP"},
        "/v1/transfers": {"from": account.id, "to": other.id, "amount": amount.json()},
        "/v1/payments": {
            "account": account.id,
            "amount": amount.json(),
            "payment_method": fresh.card(),
        },
        f"{payment.url}/refunds": {"amount": amount.json()},
        "/v1/clients": {"name": fresh.name(), "role": "viewer"},
    }
    for path, body in bodies.items():
        strange = body | {fresh.word(): fresh.word()}
        expect_problem(await alice.post(path, strange, key=fresh.key()), 422)
    await _strange_acts(alice, fresh)
    nested = {**amount.json(), fresh.word(): 1}
    transfer = {"from": account.id, "to": other.id, "amount": nested}
    expect_problem(await alice.post("/v1/transfers", transfer, key=fresh.key()), 422)
    await _strange_to_platform(platform.client, account.id, amount.json(), fresh)
    if (await alice.account(account)).balance != before.balance:
        raise Broken(f"Refused requests changed the balance of {account.id}.")


async def _strange_acts(alice: Merchant, fresh: Fresh) -> None:
    """What is done to an object takes no more members than making one does."""
    account = await alice.funded()
    received = await alice.transfer(account, await alice.open_account(), money("1.00 GBP"))
    payment = await alice.authorise(account=account)
    for path in (f"{payment.url}/capture", f"{payment.url}/void", f"{received.url}/reversal"):
        strange = {fresh.word(): fresh.word()}
        expect_problem(await alice.post(path, strange, key=fresh.key()), 422)
    if (await alice.payment(payment)).status != "authorised":
        raise Broken(f"A refused capture or void of {payment.id} was carried out.")
    match = {"If-Match": f'"{(await alice.account(account)).version}"'}
    renaming = {"name": fresh.name(), fresh.word(): fresh.word()}
    expect_problem(await alice.owner.patch(account.url, renaming, headers=match), 422)


async def _strange_to_platform(
    admin: Client, account: str, amount: dict[str, object], fresh: Fresh
) -> None:
    merchant = {"name": fresh.name(), fresh.word(): True}
    expect_problem(await admin.post("/v1/merchants", merchant), 422)
    deposit = {"account": account, "amount": amount, fresh.word(): fresh.word()}
    expect_problem(await admin.post("/v1/deposits", deposit, key=fresh.key()), 422)
