"""webhook-endpoint-ssrf: a merchant's webhook leads into our own network (CWE-918)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.events import only_event
from checks.evidence import JournalEntry
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import probe
from checks.registry import check
from checks.security.targets import carriers, elsewhere, spellings
from checks.shapes import EndpointWithSecret, Event
from checks.shops import ENDPOINTS, Shop, new_path, register
from checks.tenants import Merchant
from checks.testbed.taking import ALLOWED, DOMAIN, FORBIDDEN
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Resolve the host when the endpoint is registered and again at each call; refuse it unless all"
    " its addresses, and those that they stand for, are reachable from anywhere; connect to the"
    " address that was looked at, and follow no redirect."
)

_REDIRECTS = (301, 302, 303, 307, 308)


@check(
    "webhook-endpoint-ssrf",
    needs=contract.deliveries,
    competencies=("security.injection", "distributed.events"),
)
async def no_endpoint_is_within_our_network(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A URL that leads into our own network is not registered, however it is written.

    At most of these addresses nothing answers. A service that refuses one which would, and
    registers one of those, is charged for that; for the others it is what it calls that counts.
    """
    shop, receiver = await Shop.open(alice, testbed), testbed.receiver
    plain = receiver.url(new_path(alice), FORBIDDEN)
    with probe("an endpoint at an address within our network"):
        await _refused_or_uncalled(shop, plain)
    for what, host in spellings():
        with probe(f"an endpoint at the same, written {what}"):
            for url in _urls(testbed, host, new_path(alice)):
                await _refused_or_uncalled(shop, url)
    for what, host in elsewhere():
        with probe(f"an endpoint at {what}"):
            for url in _urls(testbed, host, new_path(alice)):
                await _refused(alice, url)
    for what, addresses in _namings().items():
        name = f"{fresh.word(12)}.{DOMAIN}"
        await testbed.names.point(name, addresses)
        with probe(f"an endpoint at a name that points to {what}"):
            url = f"https://{name}:{testbed.lease.receiver_tls_port}{new_path(alice)}"
            if FORBIDDEN in addresses:
                await _refused_or_uncalled(shop, url)
            else:
                await _refused_or_not_asked_for(shop, name, url)
    with probe("an endpoint that moves to an address within our network"):
        moved = await alice.request("PATCH", shop.endpoint.url, {"url": plain})
        await _uncalled(await Shop.open(alice, testbed), shop.endpoint, plain, moved)


def _urls(testbed: Testbed, host: str, path: str) -> tuple[str, str]:
    """A path of the receiver's at a host, by HTTP and by TLS."""
    lease = testbed.lease
    return (
        f"http://{host}:{lease.receiver_port}{path}",
        f"https://{host}:{lease.receiver_tls_port}{path}",
    )


def _namings() -> dict[str, tuple[str, ...]]:
    """What a name may point to that is within our network in part."""
    namings: dict[str, tuple[str, ...]] = {
        FORBIDDEN: (FORBIDDEN,),
        "an address that may be called, and one that may not": (ALLOWED, FORBIDDEN),
        "one that may not be called, and one that may": (FORBIDDEN, ALLOWED),
    }
    for how, carrier in carriers(IPv4Address(FORBIDDEN)):
        namings[f"{FORBIDDEN} {how}"] = (str(carrier),)
        namings[f"{ALLOWED} and {FORBIDDEN} {how}"] = (ALLOWED, str(carrier))
    return namings


async def _refused(alice: Merchant, url: str) -> None:
    """An address that nothing answers at is refused."""
    _expect_refused(await alice.post(ENDPOINTS, {"url": url}), url)


def _expect_refused(answer: Answer, url: str) -> None:
    if answer.ok:
        raise Vulnerable(
            f"{answer}: an endpoint stands at {url}, though one at {FORBIDDEN} is refused.", _HINT
        )
    expect_problem(answer, 422, code="url_not_allowed")


async def _refused_or_not_asked_for(shop: Shop, name: str, url: str) -> None:
    """A name whose IPv6 address is within our network is refused by whoever may ever call that.

    Who asks for IPv4 addresses alone, then and when it calls, does not know of it.
    """
    answer = await shop.merchant.post(ENDPOINTS, {"url": url})
    if answer.ok and not await _asked_for_ipv6(shop.testbed, name):
        made = answer.read(EndpointWithSecret)
        event = await _event(shop.merchant)
        calling = Shop(shop.merchant, shop.testbed, urlsplit(url).path, made)
        await calling.delivery(event, "delivered", "dead")
        if not await _asked_for_ipv6(shop.testbed, name):
            return
    _expect_refused(answer, url)


async def _asked_for_ipv6(testbed: Testbed, name: str) -> bool:
    return any(entry.method == "AAAA" for entry in await testbed.names.journal(name))


async def _refused_or_uncalled(shop: Shop, url: str) -> None:
    """An address is refused; if it is not, it is seen whether it is called."""
    answer = await shop.merchant.post(ENDPOINTS, {"url": url})
    made = answer.read(EndpointWithSecret) if answer.ok else shop.endpoint
    await _uncalled(shop, made, url, answer)


async def _uncalled(shop: Shop, endpoint: EndpointWithSecret, url: str, answer: Answer) -> None:
    """What an endpoint that should not be is sent; ``shop`` is another one of the merchant's."""
    if answer.ok:
        event = await _event(shop.merchant)
        await shop.taken(event)
        suspect = Shop(shop.merchant, shop.testbed, urlsplit(url).path, endpoint)
        await suspect.delivery(event, "delivered", "dead")
        await _unvisited(suspect.testbed, suspect.path, f"an endpoint at {url} was registered")
    expect_problem(answer, 422, code="url_not_allowed")


@check(
    "webhook-endpoint-ssrf",
    needs=contract.deliveries,
    competencies=("security.injection", "distributed.events"),
)
async def an_address_is_seen_again_at_each_call(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A name that points elsewhere by the time of the call leads nowhere."""
    control = await Shop.open(alice, testbed)
    mapped = str(dict(carriers(IPv4Address(FORBIDDEN)))["mapped (RFC 4291)"])
    shops: dict[str, Shop] = {}
    moments: dict[str, tuple[str | tuple[str, ...], ...]] = {
        f"{FORBIDDEN} by then": (FORBIDDEN,),
        "it the second time": (ALLOWED, FORBIDDEN),
        "it the third time": (ALLOWED, ALLOWED, FORBIDDEN),
        "it the fourth time": (ALLOWED, ALLOWED, ALLOWED, FORBIDDEN),
        "it, after one that may be called": ((ALLOWED, FORBIDDEN),),
        "it, before one that may be called": ((FORBIDDEN, ALLOWED),),
        "it, mapped into IPv6": ((ALLOWED, mapped),),
    }
    names: dict[str, str] = {}
    for what in moments:
        names[what], path = f"{fresh.word(12)}.{DOMAIN}", new_path(alice)
        await testbed.names.point(names[what], ALLOWED)
        url = f"https://{names[what]}:{testbed.lease.receiver_tls_port}{path}"
        shops[what] = Shop(alice, testbed, path, await register(alice, url))
    # Whoever was called once may be thought to be known.
    first = await _event(alice)
    await all_of([shop.taken(first) for shop in shops.values()])
    for what, turns in moments.items():
        # The next call fails, so that another one is made, by when the name has moved on.
        await testbed.receiver.conduct(shops[what].path, status=503, times=1)
        await testbed.names.point(names[what], *turns)
    event = await _event(alice)
    await control.taken(event)
    await all_of(
        [_kept_out(shop, event, f"a name points to {what}") for what, shop in shops.items()]
    )


@check(
    "webhook-endpoint-ssrf",
    needs=contract.deliveries,
    competencies=("security.injection", "distributed.events"),
)
async def no_redirect_is_followed(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """An endpoint that points elsewhere is not followed there."""
    control, within = await Shop.open(alice, testbed), new_path(alice)
    target = testbed.receiver.url(within, FORBIDDEN)
    name = f"{fresh.word(12)}.{DOMAIN}"
    await testbed.names.point(name, FORBIDDEN)
    named = f"https://{name}:{testbed.lease.receiver_tls_port}{within}"
    hop = new_path(alice)
    await testbed.receiver.conduct(hop, status=307, location=target)
    places = {f"status {status}": (status, target) for status in _REDIRECTS}
    places["a name"] = (307, named)
    places["another that points on"] = (307, testbed.receiver.url(hop))
    shops = {
        what: await Shop.open(alice, testbed, status=status, location=place)
        for what, (status, place) in places.items()
    }
    event = await _event(alice)
    await control.taken(event)
    with probe("endpoints that point into our network"):
        await all_of([shop.delivery(event, "delivered", "dead") for shop in shops.values()])
        await _unvisited(testbed, within, "an endpoint pointed there, by a redirect")
        if followed := await testbed.receiver.journal(hop):
            raise Broken(f"A redirect was followed {len(followed)} times; none is (17.8).", _HINT)


async def _kept_out(shop: Shop, event: Event, what: str) -> None:
    with probe(what):
        await shop.delivery(event, "delivered", "dead")
        await _unvisited(shop.testbed, shop.path, what)


async def _unvisited(testbed: Testbed, path: str, why: str) -> None:
    """Nothing was sent within our network."""
    if visits := _within(await testbed.receiver.journal(path)):
        raise Vulnerable(
            f"{FORBIDDEN}, which is within our network, was sent {visits[0].method} {path}"
            f" {len(visits)} times: {why}.",
            _HINT,
        )


def _within(entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    return [entry for entry in entries if entry.address == FORBIDDEN]


async def _event(merchant: Merchant) -> Event:
    """The event of a new deposit."""
    amount = merchant.fresh.money(100, 5_000)
    made = await merchant.platform.deposit(await merchant.open_account(), amount)
    return await only_event(merchant, made.id)
