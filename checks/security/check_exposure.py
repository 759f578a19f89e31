"""overexposed-response: answers show what is stored, secrets and all (CWE-213)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.events import events_of
from checks.fresh import Fresh
from checks.losers import carried_out, seen
from checks.payouts import PROMPT, Desk
from checks.probes import probe
from checks.registry import check
from checks.shops import Shop
from checks.tenants import Merchant, payment_body
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Name what an answer shows, member by member, in a type of its own, and let nothing else"
    " through: neither rows as they are stored, nor what is made of a secret. The same type serves"
    " single objects, lists and events."
)

#: How libraries write the hash of a secret down.
_HASH = re.compile(r"\$(?:argon2(?:id|i|d)|2[abxy]|scrypt|5|6|y)\$|(?:pbkdf2|scrypt)[:_$]")

#: How a timestamp begins, whose digits may be a code's by chance.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT", re.ASCII)

#: Shorter ones than this could stand in an answer by chance.
_SHORTEST = 8


@dataclass(frozen=True, slots=True)
class _Secret:
    """Something that no answer shows: what it is, and the texts that give it away."""

    what: str
    texts: tuple[str, ...]

    @classmethod
    def of(cls, what: str, value: str, *, hashed: bool = False) -> _Secret:
        """As it is, and as it may be encoded; its hashes too, if they are to be kept back."""
        data = value.encode()
        forms = {value, quote(value, safe=""), data.hex(), *_base64(data)}
        if hashed:
            forms |= {*_hashes(data)}
        return cls(what, tuple(sorted(form for form in forms if len(form) >= _SHORTEST)))

    @classmethod
    def made_of(cls, what: str, value: str) -> _Secret:
        """Its hashes alone, where it is itself shown by right."""
        return cls(what, tuple(_hashes(value.encode())))

    def within(self, answer: Answer) -> bool:
        """Whether an answer gives it away, in its body or in a header."""
        text = answer.content.decode(errors="replace")
        return self.within_text(text, text.lower(), json.dumps(list(answer.headers.items())))

    def within_text(self, *shown: str) -> bool:
        """Whether one of these gives it away."""
        return any(form in part for form in self.texts for part in shown)


def _hashes(data: bytes) -> Iterator[str]:
    """What hashes that anybody can compute make of bytes, as they may be written."""
    for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256"):
        digest = hashlib.new(name, data).digest()
        yield digest.hex()
        yield from _base64(digest)


def _base64(data: bytes) -> Iterator[str]:
    """Bytes in both alphabets, without padding."""
    yield base64.b64encode(data).decode().rstrip("=")
    yield base64.urlsafe_b64encode(data).decode().rstrip("=")


@check(
    "overexposed-response",
    needs=(*contract.merchants, *contract.lists),
    competencies=("security.data-exposure",),
)
async def a_clients_secret_is_shown_once(alice: Merchant, fresh: Fresh) -> None:
    """Once a client is made nothing shows its secret any more, nor what was made of it."""
    made = await alice.create_client("operator")
    secrets = [
        _Secret.of("the secret of a client", secret, hashed=True)
        for secret in (made.secret, alice.facts.owner.secret)
        if secret
    ]
    operator = alice.logged_in(made)
    with probe("what there is to read of clients"):
        for client, paths in (
            (alice.owner, ("/v1/clients", f"/v1/clients/{made.id}", "/v1/audit")),
            (operator, ("/v1/accounts", "/v1/clients")),
        ):
            for path in paths:
                answer = await client.get(path)
                _keeps_back(answer, secrets)
                if "clients" in path and (found := _hash_in(answer)):
                    raise Vulnerable(f"{answer} shows a hash, {found}...", _HINT)
    with probe("what is answered about clients"):
        other = await alice.post("/v1/clients", {"name": fresh.name(), "role": "viewer"})
        for answer in (other, await alice.request("DELETE", f"/v1/clients/{made.id}")):
            _keeps_back(answer, secrets)
        merchant = await alice.platform.client.post("/v1/merchants", {"name": fresh.name()})
        _shows_no_hash(other, other.expect(201).members)
        _shows_no_hash(merchant, merchant.expect(201).members.get("owner"))


@check(
    "overexposed-response",
    needs=(*contract.refunds, *contract.deliveries, *contract.lists),
    competencies=("security.data-exposure", "security.cards"),
)
async def a_cards_token_is_not_shown(alice: Merchant, testbed: Testbed) -> None:
    """Nothing that is told of a payment shows its card's token, which is as good as the card."""
    shop = await Shop.open(alice, testbed)
    account, card = await alice.funded(), alice.fresh.card()
    token = [_Secret.of("the token of a card", card)]
    viewer = await alice.client("viewer")
    with probe("a payment, its refund, and all that shows them") as attempt:
        body = payment_body(account, alice.fresh.money(20_000, 90_000), card, capture=False)
        answer = await carried_out(partial(alice.post, "/v1/payments", body, key=alice.fresh.key()))
        path = f"/v1/payments/{answer.expect(201).members.get('id')}"
        _keeps_back(answer, token)
        part = {"amount": Money(1_000, "GBP").json()}
        for act, told in (("capture", {}), ("refunds", part)):
            send = partial(alice.post, f"{path}/{act}", told, key=alice.fresh.key())
            _keeps_back(await carried_out(send), token)
        async for shown in _shown(viewer, alice, path, account.url):
            _keeps_back(shown, token)
        attempt.note(f"{card} is in none of them.")
    with probe("what the merchant's server is sent of them"):
        for _, event in await events_of(alice):
            for call in await shop.taken(event):
                if token[0].within_text(call.body.decode(errors="replace")):
                    raise Vulnerable(f"{event.type} is sent with {token[0].what}.", _HINT)
    with probe("a payment that the card declines"):
        fault = await testbed.psp.fault("decline", "sale", token=card)
        declined = await alice.post(
            "/v1/payments", {**body, "capture": True}, key=alice.fresh.key()
        )
        await testbed.psp.lift(fault)
        _keeps_back(declined, token)


async def _shown(
    viewer: Client, alice: Merchant, payment: str, account: str
) -> AsyncIterator[Answer]:
    """All that shows a payment and its refund, to a viewer and to the owner."""
    paths = [
        payment,
        f"{payment}/refunds",
        "/v1/payments",
        f"{account}/entries",
        "/v1/events",
        f"/v1/events?object={payment.rpartition('/')[2]}",
    ]
    for client in (viewer, alice.owner):
        for path in paths:
            yield await seen(client, path)
    for _, event in await events_of(alice):
        yield await seen(viewer, event.url)
    yield await seen(alice.owner, "/v1/audit")
    yield await carried_out(partial(alice.post, f"{payment}/sync", {}))


@check(
    "overexposed-response",
    needs=(*contract.payouts, *contract.events),
    competencies=("security.data-exposure", "security.authentication"),
)
async def an_approvers_code_is_sent_alone(alice: Merchant, testbed: Testbed) -> None:
    """The code that approves a payout is in the message, and in no answer."""
    desk = await Desk.open(alice, testbed)
    payout = await desk.make(await alice.funded(), alice.fresh.money(1_000, 90_000))
    # A code is short: what the payout has shown before it was made may be like it by chance.
    known = {str(value) for _, value in _leaves((await seen(alice.owner, payout.url)).members)}
    with probe("a challenge, and all that shows its payout"):
        challenged = await carried_out(partial(alice.post, f"{payout.url}/challenges", {}))
        challenged.expect(201)
        sent = await testbed.notifier.wait(payout.id, 1, PROMPT)
        if not sent:
            raise Broken(f"{challenged}, and no message about it was sent.")
        code = str(json.loads(sent[-1].body).get("code"))
        answers = [challenged, await alice.get(payout.url), await alice.get("/v1/payouts")]
        answers += [await alice.get(path) for path in ("/v1/events", "/v1/audit")]
        for answer in answers:
            for path, value in _leaves(answer.members):
                if str(value) not in known and _is_code(value, code):
                    raise Vulnerable(
                        f"{answer} shows the code that was sent to the approver, as {path}.", _HINT
                    )


def _is_code(value: object, code: str) -> bool:
    """Whether a value is the code, has it among its words, or what a hash makes of it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) == code.lstrip("0")
    if not isinstance(value, str) or _TIME.match(value):
        return False
    hashed = _Secret.of("", code, hashed=True).texts
    return re.search(rf"(?<!\w){re.escape(code)}(?!\w)", value) is not None or any(
        len(text) > len(code) + 8 and text in value for text in hashed
    )


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every plain value of some JSON, with the members that lead to it."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    else:
        yield path, value


def _hash_in(answer: Answer) -> str:
    """How the hash of a secret begins that an answer shows, in a library's own format."""
    found = _HASH.search(answer.content.decode(errors="replace"))
    return found.group() if found else ""


def _shows_no_hash(answer: Answer, client: object) -> None:
    """Beside the secret of a client that was just made stands nothing that was made of it."""
    secret = client.get("secret") if isinstance(client, Mapping) else None
    if not isinstance(secret, str):
        raise Broken(f"{answer}, and does not show the secret of the client that was made.")
    made = _Secret.made_of("a hash of a secret", secret)
    if made.within(answer) or _hash_in(answer):
        raise Vulnerable(f"{answer} shows {made.what}, beside the secret itself.", _HINT)


def _keeps_back(answer: Answer, secrets: list[_Secret]) -> None:
    for secret in secrets:
        if secret.within(answer):
            raise Vulnerable(f"{answer} shows {secret.what}, or what was made of it.", _HINT)
