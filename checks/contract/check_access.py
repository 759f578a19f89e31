"""Merchants, their clients, tokens and roles (contract 2)."""

from __future__ import annotations

import jwt

from checks import contract
from checks.amounts import money
from checks.attachment import Testbed
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.registry import check
from checks.shapes import Account, Token
from checks.tenants import Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Broken

_LONGEST = 15 * 60
_CLAIMS = {"iss", "aud", "sub", "merchant", "role", "iat", "exp"}


@check(needs=contract.service, competencies=("security.authentication",))
async def a_merchant_gets_a_client_that_can_log_in(alice: Merchant, platform: Platform) -> None:
    """A new merchant's owner exchanges its secret for a token, and the token is good everywhere."""
    owner = alice.facts.owner
    if owner.role != "owner":
        raise Broken(f"A merchant's first client has the role {owner.role}, not owner.")
    body = {"client_id": owner.id, "client_secret": owner.secret}
    token = (await platform.anonymous.post("/v1/token", body)).expect(200).read(Token)
    if token.token_type.lower() != "bearer" or not 0 < token.expires_in <= _LONGEST:
        raise Broken(f"A token has type {token.token_type} and lasts {token.expires_in} s.")
    caller = platform.anonymous.carrying(token.access_token)
    for replica in range(len(platform.connections.replicas)):
        (await caller.on(replica).get("/v1/accounts")).expect(200)


@check(needs=contract.merchants, competencies=("security.authentication",))
async def a_token_is_what_the_contract_says(
    alice: Merchant, platform: Platform, testbed: Testbed
) -> None:
    """A token is an EdDSA-signed JWT with all its claims, and its key is published."""
    owner = alice.facts.owner
    body = {"client_id": owner.id, "client_secret": owner.secret}
    token = (await platform.anonymous.post("/v1/token", body)).expect(200).read(Token)
    published = (await platform.anonymous.get("/.well-known/jwks.json")).expect(200)
    keys = jwt.PyJWKSet.from_dict(published.members).keys
    try:
        header = jwt.get_unverified_header(token.access_token)
        key = next(key for key in keys if key.key_id == header.get("kid"))
        claims = jwt.decode(
            token.access_token,
            key.key,
            algorithms=["EdDSA"],
            audience="payments",
            issuer=testbed.lease.public_url,
            options={"require": sorted(_CLAIMS)},
        )
    except StopIteration:
        raise Broken("The token's kid is not among the published keys.") from None
    except jwt.PyJWTError as error:
        raise Broken(f"The service's own token does not verify: {error}.") from None
    if claims["sub"] != owner.id or claims["merchant"] != alice.id or claims["role"] != "owner":
        raise Broken(f"The token speaks for another: {claims}.")
    if claims["exp"] - claims["iat"] > _LONGEST:
        raise Broken(f"The token lasts {claims['exp'] - claims['iat']} s, more than 15 minutes.")


@check(needs=contract.merchants, competencies=("security.authentication",))
async def a_wrong_secret_gets_no_token(alice: Merchant, platform: Platform, fresh: Fresh) -> None:
    """A wrong secret or an unknown client is refused, and the right secret still works."""
    owner = alice.facts.owner
    for id_ in (owner.id, f"cli_{fresh.word(26)}"):
        body: dict[str, str | None] = {"client_id": id_, "client_secret": fresh.word(40)}
        refused = await platform.anonymous.post("/v1/token", body)
        expect_problem(refused, 401, code="invalid_client")
    body = {"client_id": owner.id, "client_secret": owner.secret}
    (await platform.anonymous.post("/v1/token", body)).expect(200)
    broken_token = platform.anonymous.carrying(fresh.word(60))
    expect_problem(await broken_token.get("/v1/accounts"), 401, code="unauthenticated")


@check(needs=contract.merchants, competencies=("security.authorisation",))
async def an_owner_manages_clients(alice: Merchant, bob: Merchant, platform: Platform) -> None:
    """An owner makes, lists and deletes clients; a merchant's last owner stays."""
    viewer = await alice.create_client("viewer")
    second = await alice.create_client("owner")
    items = [item async for _, item in alice.walk("/v1/clients")]
    listed = {item["id"] for item in items}
    if {viewer.id, second.id, alice.facts.owner.id} - listed:
        raise Broken(f"GET /v1/clients lists {sorted(map(str, listed))}, not all clients.")
    if any(item.get("secret") for item in items):
        raise Broken("GET /v1/clients shows a secret; secrets are shown once, when made.")
    expect_absent(await bob.owner.delete(f"/v1/clients/{viewer.id}"), (viewer.name,))
    body = {"client_id": viewer.id, "client_secret": viewer.secret}
    (await platform.anonymous.post("/v1/token", body)).expect(200)
    (await alice.owner.delete(f"/v1/clients/{viewer.id}")).expect(204)
    expect_problem(await platform.anonymous.post("/v1/token", body), 401, code="invalid_client")
    (await alice.owner.delete(f"/v1/clients/{second.id}")).expect(204)
    last = await alice.owner.delete(f"/v1/clients/{alice.facts.owner.id}")
    expect_problem(last, 409, code="last_owner")


@check(needs=(*contract.transfers, *contract.sales), competencies=("security.authorisation",))
async def an_operator_moves_money(alice: Merchant, fresh: Fresh) -> None:
    """An operator opens accounts, transfers and takes payments."""
    operator = await alice.client("operator")
    source, target = await alice.funded(), await alice.open_account()
    account = (
        await operator.post("/v1/accounts", {"name": fresh.name(), "currency": "GBP"})
    ).expect(201)
    account.read(Account)
    moved = transfer_body(source, target, money("1.00 GBP"))
    (await operator.post("/v1/transfers", moved, key=fresh.key())).expect(201)
    taken = payment_body(target, money("5.00 GBP"), fresh.card())
    (await operator.post("/v1/payments", taken, key=fresh.key())).expect(201)


@check(needs=(*contract.transfers, *contract.sales), competencies=("security.authorisation",))
async def a_viewer_reads(alice: Merchant) -> None:
    """A viewer reads everything of its merchant's."""
    viewer = await alice.client("viewer")
    source, target = await alice.funded(), await alice.open_account()
    payment = await alice.authorise(account=source)
    transfer = await alice.transfer(source, target, money("2.00 GBP"))
    reads = ("/v1/accounts", source.url, f"{source.url}/entries", "/v1/transfers", transfer.url)
    for path in (*reads, "/v1/payments", payment.url, f"{payment.url}/refunds"):
        (await viewer.get(path)).expect(200)


@check(needs=contract.accounts, competencies=("security.authorisation",))
async def the_platform_and_its_merchants_keep_apart(
    alice: Merchant, platform: Platform, fresh: Fresh
) -> None:
    """Merchants' clients get 403 on the administrator's endpoints, and the other way round."""
    account = await alice.open_account()
    expect_problem(await alice.post("/v1/merchants", {"name": fresh.name()}), 403)
    deposit = {"account": account.id, "amount": money("1.00 GBP").json()}
    expect_problem(await alice.post("/v1/deposits", deposit, key=fresh.key()), 403)
    expect_problem(await platform.client.get("/v1/accounts"), 403)
    expect_problem(await platform.client.get(account.url), 403, 404)
    made = await platform.client.post("/v1/clients", {"name": fresh.name(), "role": "owner"})
    expect_problem(made, 403)
    if (await alice.account(account)).balance.posted.amount != 0:
        raise Broken("A refused deposit credited the account.")
