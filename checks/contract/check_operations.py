"""How the service is run: metrics, the audit log, rate limits (contract 7.6 to 7.12)."""

from __future__ import annotations

import asyncio

from checks import contract
from checks.amounts import money
from checks.attachment import Psp, Testbed
from checks.client import Answer, Client
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.metrics import CALLS, REQUESTS, Scrape, scrape
from checks.payouts import Desk
from checks.registry import check
from checks.settings import SOON_REACHED
from checks.shapes import AuditRecord, Payout
from checks.tenants import Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Broken, Inconclusive

_READS = 3

_SHOWN = "/v1/accounts/{account_id}"

#: Seconds after which a client beyond its rate may make one request more.
_PAUSE = 1

#: So many requests are more than the limit lets through, however slow the machine is.
_MANY = 200

#: How often a client is taken beyond its rate, until it still is there for the next request.
_TRIES = 5


@check(
    needs=(*contract.accounts, *contract.sales),
    competencies=("operations.observability",),
)
async def requests_are_counted_by_route(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """Every replica counts its requests by route, method and class of status, without an id."""
    account, unknown = await alice.open_account(), fresh.word(20)
    for replica in testbed.replicas:
        scraper, reader = platform.anonymous.on(replica), alice.on(replica)
        before = await scrape(scraper)
        for _ in range(_READS):
            (await reader.get(account.url)).expect(200)
        (await reader.get(f"/v1/accounts/acc_{fresh.word(26)}")).expect(404)
        (await reader.get(f"/v1/{unknown}")).expect(404)
        after = await scrape(scraper)
        for status, requests in (("2xx", _READS), ("4xx", 1)):
            _expect_rise(before, after, requests, method="GET", route=_SHOWN, status=status)
        _expect_bounded(after, account.id, alice.id, alice.facts.owner.id, unknown)


def _expect_rise(before: Scrape, after: Scrape, by: int, **labels: str) -> None:
    """A histogram has so many observations more; others may have been at it too."""
    name = f"{REQUESTS}_count"
    counted, total = before.value(name, **labels), after.value(name, **labels)
    if total - counted < by:
        raise Broken(f"{by} requests raised {name} of {labels} from {counted:g} to {total:g}.")
    whole = after.value(f"{REQUESTS}_bucket", **labels, le="+Inf")
    if whole != total or after.value(f"{REQUESTS}_sum", **labels) <= 0:
        raise Broken(f"{REQUESTS} of {labels} is no histogram: {total:g} requests, {whole:g} seen.")


def _expect_bounded(seen: Scrape, *ids: str) -> None:
    for word in seen.words:
        if any(one in word for one in ids):
            raise Broken(f"A label of a metric holds {word!r}, of which there is no end.")


@check(
    needs=(*contract.transfers, *contract.sales),
    competencies=("operations.observability", "distributed.idempotency"),
)
async def replays_refusals_and_calls_are_counted(
    alice: Merchant, platform: Platform, psp: Psp, fresh: Fresh
) -> None:
    """A replica counts what it answered again, what it refused, and how calls to the PSP ended."""
    scraper, here = platform.anonymous.on(0), alice.on(0)
    source, target = await alice.funded(), await alice.open_account()
    before = await scrape(scraper)
    body, key = transfer_body(source, target, fresh.money(100, 5_000)), fresh.key()
    first = (await here.post("/v1/transfers", body, key=key)).expect(201)
    again = (await here.post("/v1/transfers", body, key=key)).expect(201)
    same = transfer_body(source, source, fresh.money(100, 5_000))
    expect_problem(await here.post("/v1/transfers", same, key=fresh.key()), 422)
    card = fresh.card()
    await here.pay(account=source)
    await psp.fault("drop_after", "sale", token=card)
    await here.post(
        "/v1/payments", payment_body(source, fresh.money(1_000, 9_000), card), key=fresh.key()
    )
    after = await scrape(scraper)
    # Whether it was answered again is another check's.
    replayed = first.json == again.json and again.replayed
    for name, labels in (
        *([("payments_replays_total", {})] if replayed else []),
        ("payments_refusals_total", {"code": "same_account"}),
        (f"{CALLS}_count", {"party": "psp", "outcome": "2xx"}),
        (f"{CALLS}_count", {"party": "psp", "outcome": "unanswered"}),
    ):
        was, now = before.value(name, **labels), after.value(name, **labels)
        if now <= was:
            raise Broken(f"{name} of {labels} was {was:g} and is {now:g}.")


async def _log(merchant: Merchant, object_id: str = "") -> list[AuditRecord]:
    """The records of a merchant, of one object or all, oldest first."""
    path = f"/v1/audit?object={object_id}" if object_id else "/v1/audit"
    listed = [
        answer.read_value(item, AuditRecord) async for answer, item in merchant.walk(path, limit=3)
    ]
    return listed[::-1]


@check(
    needs=contract.payouts,
    competencies=("operations.observability", "compliance.sca"),
)
async def the_audit_log_tells_who_approved_a_payout(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Who made a payout, changed it, tried a wrong code and approved it stays on record."""
    desk, owner = await Desk.open(alice, testbed), alice.facts.owner.id
    payout = await desk.make(await alice.funded(), fresh.money(1_000, 90_000))
    change = {"amount": fresh.money(1_000, 90_000).json()}
    changed = (await desk.maker.patch(payout.url, change)).expect(200).read(Payout)
    code = await desk.code(changed)
    wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"
    approve, request = f"{payout.url}/approve", fresh.word(20)
    refused = await alice.post(approve, {"code": wrong}, key=fresh.key())
    expect_problem(refused, 422, code="code_invalid")
    (
        await alice.owner.request(
            "POST", approve, {"code": code}, key=fresh.key(), headers={"X-Request-Id": request}
        )
    ).expect(200)

    records = await _log(alice, payout.id)
    told = [(one.action, one.actor) for one in records if one.about == payout.id]
    wanted = [
        ("payout.created", payout.made_by),
        ("payout.changed", payout.made_by),
        ("payout.code_requested", owner),
        ("payout.code_refused", owner),
        ("payout.approved", owner),
    ]
    if told != wanted or len(records) != len(wanted):
        raise Broken(f"GET /v1/audit tells of {payout.id}: {told}; it must be {wanted}.")
    if records[-1].request_id != request:
        raise Broken(f"The approval {request} is on record as {records[-1].request_id}.")
    for record in records:
        if code in str(record.details) or wrong in str(record.details):
            raise Broken(f"The audit log holds a code: {record}.")


@check(
    needs=(*contract.merchants, *contract.deposits),
    competencies=("operations.observability", "security.authorisation"),
)
async def the_audit_log_is_the_merchants_own(
    alice: Merchant, bob: Merchant, platform: Platform
) -> None:
    """The audit log shows a merchant's owners what concerns it, and no other merchant."""
    account = await alice.funded()
    client = await alice.create_client("viewer")
    (await alice.request("DELETE", f"/v1/clients/{client.id}")).expect(204)
    own = await _log(alice)
    acts = {(one.action, one.actor) for one in own}
    for act in (
        ("deposit.created", "administrator"),
        ("client.created", alice.facts.owner.id),
        ("client.deleted", alice.facts.owner.id),
    ):
        if act not in acts:
            raise Broken(f"GET /v1/audit tells nothing of {act[0]} by {act[1]}.")
    theirs = await _log(bob)
    mine = {account.id, client.id, *(one.id for one in own)}
    shown = {word for one in theirs for word in (one.id, one.about)} & mine
    if shown or await _log(bob, client.id):
        raise Broken("The audit log shows a merchant what another one did.")
    if not theirs:
        raise Broken("GET /v1/audit does not tell that the merchant was created.")
    expect_problem(await platform.client.get("/v1/audit"), 403, code="forbidden")


@check(needs=contract.merchants, competencies=("operations.observability",))
async def the_audit_log_only_grows(alice: Merchant, fresh: Fresh) -> None:
    """What is on record stays as it is, whatever is asked, and what is done comes after it."""
    client = await alice.create_client("viewer")
    before = await _log(alice)
    (record,) = [one for one in before if one.about == client.id]
    for path in ("/v1/audit", f"/v1/audit/{record.id}"):
        for method in ("DELETE", "PUT", "PATCH", "POST"):
            answer = await alice.owner.request(method, path, {"actor": fresh.word()})
            if answer.ok:
                raise Broken(f"{answer}, though nothing changes the audit log.")
            answer.expect(404, 405)
    (await alice.request("DELETE", f"/v1/clients/{client.id}")).expect(204)
    after = await _log(alice)
    if after[: len(before)] != before:
        raise Broken("What was on record in the audit log is not as it was.")
    if [(one.action, one.about) for one in after[len(before) :]] != [("client.deleted", client.id)]:
        raise Broken(f"After a client was deleted the audit log has {after[len(before) :]} more.")


@check(
    needs=contract.transfers,
    exclusive=True,
    settings=SOON_REACHED,
    replicas=1,
    competencies=("api.contract", "resilience.failures"),
)
async def a_client_beyond_its_rate_is_put_off(alice: Merchant, fresh: Fresh) -> None:
    """A client beyond its rate is refused with 429, does nothing, and others are served."""
    source, target = await alice.funded(), await alice.open_account()
    operator = await alice.client("operator")
    body = transfer_body(source, target, money("1.00 GBP"))
    for _ in range(_TRIES):
        refused = await _until_refused(alice.owner)
        expect_problem(refused, 429, code="rate_limited")
        if refused.retry_after is None or not 0 < refused.retry_after <= _PAUSE:
            raise Broken(f"{refused} with Retry-After {refused.headers.get('Retry-After')!r}.")
        (await operator.get(source.url)).expect(200)
        key = fresh.key()
        held_up = await alice.post("/v1/transfers", body, key=key)
        if held_up.status == 429:
            break
        held_up.expect(201)
    else:
        raise Inconclusive(f"{held_up}: the machine was too slow to go beyond a rate.")
    await asyncio.sleep(held_up.retry_after or _PAUSE)
    done = (await alice.post("/v1/transfers", body, key=key)).expect(201)
    if done.replayed:
        raise Broken(f"{done} again, though the first was refused for its rate.")


async def _until_refused(client: Client) -> Answer:
    """The first answer of one request after another that is none of a 200."""
    for _ in range(_MANY):
        answer = await client.get("/v1/accounts")
        if answer.status != 200:
            return answer
    limit = SOON_REACHED["RATE_LIMIT_BURST"]
    raise Broken(f"{_MANY} requests in a row were let through; {limit} at once are the limit.")
