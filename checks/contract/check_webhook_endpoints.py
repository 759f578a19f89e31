"""Merchants' webhook endpoints: registered, changed, forgotten (contract 17.1 to 17.3, 17.7)."""

from __future__ import annotations

from checks import contract
from checks.attachment import Receiver, Testbed
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.shapes import Endpoint, Page
from checks.shops import ENDPOINTS, change, delete, new_path, register, rotate
from checks.tenants import Merchant
from checks.testbed.taking import ALLOWED, DOMAIN
from checks.verdicts import Broken
from checks.webhooks import key_of

_MOST = 10

#: An address that is reachable from anywhere. Nothing is sent there: no event ever happens to a
#: merchant of these checks, and no port of it is open to the service.
_GLOBAL = "8.8.8.8"


@check(needs=contract.merchants, competencies=("distributed.events", "api.contract"))
async def an_endpoint_is_registered_and_read_back(alice: Merchant, testbed: Testbed) -> None:
    """An endpoint is registered, shown, changed and deleted, and its secret is shown once."""
    receiver, types = testbed.receiver, ("payment.captured", "refund.failed")
    label = alice.fresh.word(12)
    await testbed.names.point(f"{label}.{DOMAIN}", ALLOWED)
    plain, secured = receiver.url(new_path(alice)), receiver.secure_url(new_path(alice), label)
    made = [await register(alice, plain), await register(alice, secured, types)]
    for endpoint, url, wanted in zip(made, (plain, secured), (None, types), strict=True):
        told = None if endpoint.types is None else tuple(sorted(endpoint.types))
        if (endpoint.target, told, endpoint.disabled) != (url, wanted, False):
            raise Broken(f"An endpoint at {url} for {wanted} is answered as {endpoint}.")
    first, second = made
    if key_of(first.secret) == key_of(second.secret):
        raise Broken("Two endpoints were given the same secret.")
    for endpoint in made:
        await _expect_shown(alice, Endpoint.model_validate(endpoint.model_dump(by_alias=True)))

    moved = receiver.url(new_path(alice))
    changed = await change(alice, first, url=moved, types=["payout.paid"], disabled=True)
    if (changed.target, changed.types, changed.disabled) != (moved, ("payout.paid",), True):
        raise Broken(f"A changed endpoint is answered as {changed}.")
    await _expect_shown(alice, changed)
    back = await change(alice, first, types=None, disabled=False)
    if (back.target, back.types, back.disabled) != (moved, None, False):
        raise Broken(f"An endpoint that was changed back is answered as {back}.")

    rotated = await rotate(alice, first)
    if rotated.id != first.id or key_of(rotated.secret) == key_of(first.secret):
        raise Broken(f"An endpoint's secret was to be replaced; the answer is {rotated.id}'s.")
    await _expect_shown(alice, back)

    await delete(alice, first)
    expect_problem(await alice.get(first.url), 404)
    expect_problem(await alice.get(f"{first.url}/deliveries"), 404)
    expect_problem(await alice.request("PATCH", first.url, {"disabled": True}), 404)
    if [listed.id for listed in await _listed(alice)] != [second.id]:
        raise Broken(f"GET {ENDPOINTS} lists other endpoints than the one that was not deleted.")


@check(needs=contract.endpoints, competencies=("api.validation",))
async def a_url_that_is_not_allowed_is_refused(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A URL with a user or a fragment, of another scheme, of no address, or open to all by http."""
    far, nowhere = (f"{fresh.word(12)}.example" for _ in range(2))
    await testbed.names.point(far, (_GLOBAL, "1.1.1.1"))
    here = testbed.receiver.url(new_path(alice))
    kept = await register(alice, here)
    (await alice.post(ENDPOINTS, {"url": f"https://{far}/hooks"})).expect(201)
    for what, url in {
        "a user": f"https://{fresh.word()}@{far}/hooks",
        "a user and a password": f"https://{fresh.word()}:{fresh.word()}@{far}/hooks",
        "a fragment": f"https://{far}/hooks#{fresh.word()}",
        "another scheme": f"ftp://{far}/hooks",
        "no host": "https:///hooks",
        "a name that does not exist": f"https://{nowhere}/hooks",
        "http to a name": f"http://{far}/hooks",
        "http to an address": f"http://{_GLOBAL}/hooks",
    }.items():
        with probe(f"an endpoint with {what}"):
            made = await alice.post(ENDPOINTS, {"url": url})
            expect_problem(made, 422, code="url_not_allowed")
    moved = await alice.request("PATCH", kept.url, {"url": f"http://{far}/hooks"})
    expect_problem(moved, 422, code="url_not_allowed")
    for body in ({}, {"url": here, "types": ["payment.unheard"]}, {"url": here, "secret": "whsec"}):
        expect_problem(await alice.post(ENDPOINTS, body), 422)
    targets = sorted(listed.target for listed in await _listed(alice))
    if targets != sorted((here, f"https://{far}/hooks")):
        raise Broken(f"After requests that were refused the endpoints are at {targets}.")


@check(needs=contract.endpoints, competencies=("api.validation",))
async def a_merchant_has_ten_endpoints(alice: Merchant, receiver: Receiver, fresh: Fresh) -> None:
    """The eleventh endpoint is refused until one is deleted."""
    url = receiver.url(new_path(alice))
    made = [await register(alice, url) for _ in range(_MOST)]
    refused = await alice.post(ENDPOINTS, {"url": url})
    expect_problem(refused, 409, code="too_many_endpoints")
    if {one.id for one in await _listed(alice)} != {one.id for one in made}:
        raise Broken(f"GET {ENDPOINTS} does not list the {_MOST} endpoints that were registered.")
    await delete(alice, fresh.random.choice(made))
    await register(alice, url)


@check(needs=contract.endpoints, competencies=("security.authorisation",))
async def an_endpoint_is_its_merchants_alone(
    alice: Merchant, bob: Merchant, receiver: Receiver
) -> None:
    """Another merchant neither sees an endpoint nor touches it; a viewer reads it."""
    path = new_path(alice)
    endpoint = await register(alice, receiver.url(path))
    acts: tuple[tuple[str, str, object], ...] = (
        ("PATCH", endpoint.url, {"disabled": True}),
        ("POST", f"{endpoint.url}/rotate", {}),
    )
    for method, url, body in acts:
        expect_absent(await bob.request(method, url, body), (path, endpoint.secret))
    expect_absent(await bob.request("DELETE", endpoint.url), (path,))
    for url in (endpoint.url, f"{endpoint.url}/deliveries"):
        expect_absent(await bob.get(url), (path,))
    if await _listed(bob):
        raise Broken(f"GET {ENDPOINTS} lists an endpoint of another merchant's.")
    viewer = await alice.client("viewer")
    for url in (ENDPOINTS, endpoint.url, f"{endpoint.url}/deliveries"):
        (await viewer.get(url)).expect(200)
    if [(one.id, one.disabled) for one in await _listed(alice)] != [(endpoint.id, False)]:
        raise Broken("A request that was refused changed an endpoint.")


async def _listed(merchant: Merchant) -> list[Endpoint]:
    answer = (await merchant.get(ENDPOINTS)).expect(200)
    page = answer.read(Page)
    if page.next_cursor is not None or b"whsec_" in answer.content:
        raise Broken(f"{answer} with another page, or with a secret.")
    return [answer.read_value(item, Endpoint) for item in page.data]


async def _expect_shown(merchant: Merchant, endpoint: Endpoint) -> None:
    """Both ways of reading an endpoint show it, without its secret."""
    answer = (await merchant.get(endpoint.url)).expect(200)
    listed = [one for one in await _listed(merchant) if one.id == endpoint.id]
    if [answer.read(Endpoint), *listed] != [endpoint, endpoint]:
        raise Broken(f"{answer}, and {ENDPOINTS} lists {listed}; the endpoint is {endpoint}.")
    if b"whsec_" in answer.content:
        raise Broken(f"{answer} and shows the secret, which is shown where it is made alone.")
