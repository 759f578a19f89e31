"""jwt-algorithm and jwt-claims: tokens that the service must not believe (CWE-347, CWE-287)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checks import contract
from checks.attachment import Testbed
from checks.client import Client
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.security import tokens
from checks.shapes import Account, Token
from checks.tenants import Merchant, Platform
from checks.verdicts import Broken, Decision, Inconclusive, Vulnerable

_ALGORITHM_HINT = (
    "Verify with the one algorithm and key that this service signs with; take neither from the"
    " token (RFC 8725, section 3.1)."
)
_CLAIMS_HINT = (
    "Require iss, aud, sub, iat and exp, and compare issuer and audience with your own; leeway"
    " at most 60 seconds (RFC 8725, sections 3.8 and 3.9)."
)

#: Seconds that no leeway of the contract (2.7) covers: it ends at 60.
_LONG_AGO = (75, 120, 300, 3600, 86_400 * 30)

#: Claims that the contract says are verified, and so required.
_VERIFIED = ("aud", "iss", "exp")

#: Unsigned algorithms as they have been smuggled past comparisons.
_NONES = ("none", "None", "NONE", "nOnE", "NoNe", "", "none ", " none", "null")


class _Victim:
    """An account of the victim's, and the token that the service gave its owner."""

    def __init__(self, account: Account, token: str, anonymous: Client) -> None:
        self.account = account
        self.token = token
        self.header, self.claims = tokens.parts(token)
        self._anonymous = anonymous

    async def refuses(self, token: str, what: str, hint: str, *, by_401: bool = True) -> None:
        """The service refuses this token for reading the account and for opening another; else
        ``Vulnerable``.

        Without ``by_401`` any refusal will do: such a token is not met with outside a test.
        """
        forger = self._anonymous.carrying(token, "forger")
        answer = await forger.get(self.account.url)
        written = await forger.post("/v1/accounts", {"name": "Forged", "currency": "GBP"})
        for one in (answer, written):
            if one.ok:
                raise Vulnerable(f"{one} to a token {what}.", hint)
        if by_401 and answer.status != 401:
            raise Broken(f"{answer} to a token {what}; the contract asks for 401.", hint)


async def _victim(alice: Merchant, platform: Platform) -> _Victim:
    account = await alice.open_account()
    owner = alice.facts.owner
    body = {"client_id": owner.id, "client_secret": owner.secret}
    token = (await platform.anonymous.post("/v1/token", body)).expect(200).read(Token)
    caller = platform.anonymous.carrying(token.access_token)
    (await caller.get(account.url)).expect(200)
    try:
        return _Victim(account, token.access_token, platform.anonymous)
    except ValueError:
        raise Broken("POST /v1/token gave an access token that is no JWT.") from None


async def _public_key(platform: Platform, testbed: Testbed, kid: object) -> tokens.PublicKey:
    published = (await platform.anonymous.get("/.well-known/jwks.json")).expect(200)
    keys = published.members.get("keys")
    if not isinstance(keys, list) or not keys:
        raise Broken("/.well-known/jwks.json publishes no keys.")
    jwk = next((key for key in keys if key.get("kid") == kid), keys[0])
    return tokens.PublicKey(testbed.lease.jwt_public_key, jwk, published.content.decode())


@check("jwt-algorithm", needs=contract.accounts, competencies=("security.authentication",))
async def an_hmac_with_the_public_key_is_no_signature(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A token signed by HMAC with the public key, in whatever encoding, is refused."""
    victim = await _victim(alice, platform)
    public = await _public_key(platform, testbed, victim.header.get("kid"))
    for digest in ("HS256", "HS384", "HS512"):
        with probe(f"{digest} keyed with the public key"):
            for encoding, key in public.encodings():
                header = victim.header | {"alg": digest}
                forged = tokens.hmac_signed(header, victim.claims, key, digest)
                what = f"signed {digest} with the public key as {encoding}"
                await victim.refuses(forged, what, _ALGORITHM_HINT)
    with probe("the algorithm's name in other letters, or without kid"):
        for encoding, key in public.encodings():
            for alg in ("hs256", "Hs256", "HS256 "):
                forged = tokens.hmac_signed(victim.header | {"alg": alg}, victim.claims, key)
                what = f"signed {alg!r} with the public key as {encoding}"
                await victim.refuses(forged, what, _ALGORITHM_HINT)
            bare = {name: value for name, value in victim.header.items() if name != "kid"}
            for header, which in (
                (bare, "without kid"),
                (bare | {"kid": fresh.word()}, "of an unknown kid"),
            ):
                forged = tokens.hmac_signed(header | {"alg": "HS256"}, victim.claims, key)
                what = f"signed HS256 {which}, with the public key as {encoding}"
                await victim.refuses(forged, what, _ALGORITHM_HINT)


@check("jwt-algorithm", needs=contract.accounts, competencies=("security.authentication",))
async def an_unsigned_token_is_refused(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A token without a signature, or with one that does not fit, is refused."""
    victim = await _victim(alice, platform)
    signature = victim.token.rpartition(".")[2]
    with probe("alg none, in every spelling"):
        for alg in _NONES:
            header = victim.header | {"alg": alg}
            for tail in ("", signature):
                forged = tokens.unsigned(header, victim.claims, tail)
                await victim.refuses(forged, f"unsigned, alg {alg!r}", _ALGORITHM_HINT)
    with probe("a signature stripped, altered or moved to other claims"):
        flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
        other = victim.claims | {"role": "owner", "sub": f"cli_{fresh.word(26)}"}
        for forged, what in (
            (tokens.unsigned(victim.header, victim.claims), "whose signature was stripped"),
            (tokens.unsigned(victim.header, victim.claims, flipped), "whose signature was altered"),
            (tokens.unsigned(victim.header, other, signature), "whose claims were altered"),
            (victim.token.rpartition(".")[0], "of two parts"),
        ):
            await victim.refuses(forged, what, _ALGORITHM_HINT)


@check("jwt-algorithm", needs=contract.accounts, competencies=("security.authentication",))
async def a_token_does_not_choose_its_key(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A token signed with another key is refused, whatever key its header points to."""
    victim = await _victim(alice, platform)
    attacker = Ed25519PrivateKey.generate()
    with probe("a key of the forger's, announced in the header"):
        published = await _published(attacker, victim.header, testbed, fresh)
        for what, extra in (*_announced(attacker, victim.header, fresh), *published):
            forged = tokens.key_signed(victim.header | extra, victim.claims, attacker)
            await victim.refuses(forged, f"signed with another key, {what}", _ALGORITHM_HINT)
    with probe("a kid that points elsewhere"):
        for kid in ("", "../../../../dev/null", "/dev/null", "x' UNION SELECT 'a", "0", None, 0):
            header = victim.header | {"kid": kid}
            forged = tokens.key_signed(header, victim.claims, attacker)
            await victim.refuses(forged, f"of another key, kid {kid!r}", _ALGORITHM_HINT)
            for secret in (b"", b"a", b"\x00"):
                forged = tokens.hmac_signed(header | {"alg": "HS256"}, victim.claims, secret)
                what = f"signed HS256 with {secret!r}, kid {kid!r}"
                await victim.refuses(forged, what, _ALGORITHM_HINT)


def _announced(
    attacker: Ed25519PrivateKey, header: dict[str, Any], fresh: Fresh
) -> Iterator[tuple[str, dict[str, Any]]]:
    kid = header.get("kid", "")
    jwk = tokens.jwk_of(attacker.public_key(), str(kid))
    chain = tokens.x5c(tokens.certificate_of(attacker, fresh.word()))
    yield "same kid", {}
    yield "as jwk", {"jwk": jwk}
    yield "as jwk with another kid", {"jwk": jwk | {"kid": fresh.word()}, "kid": fresh.word()}
    yield "by x5c", {"x5c": chain}
    yield "by x5c with another kid", {"x5c": chain, "kid": fresh.word()}
    yield "as Ed25519", {"alg": "Ed25519"}
    yield "in another case", {"alg": "eddsa"}
    yield "with a critical extension", {"crit": [fresh.word()]}


async def _published(
    attacker: Ed25519PrivateKey, header: dict[str, Any], testbed: Testbed, fresh: Fresh
) -> list[tuple[str, dict[str, Any]]]:
    """Headers that point to the forger's key at a server which the service can reach."""
    kid = fresh.word()
    keys = [tokens.jwk_of(attacker.public_key(), str(one)) for one in (header.get("kid"), kid)]
    key_set = await testbed.psp.publish(f"/{fresh.word()}/jwks.json", json.dumps({"keys": keys}))
    pem = tokens.pem(tokens.certificate_of(attacker, fresh.word()))
    certificate = await testbed.psp.publish(f"/{fresh.word()}.pem", pem)
    return [
        ("by jku", {"jku": key_set}),
        ("by jku with another kid", {"jku": key_set, "kid": kid}),
        ("by x5u", {"x5u": certificate}),
        ("by x5u with another kid", {"x5u": certificate, "kid": kid}),
    ]


@check("jwt-claims", needs=contract.accounts, competencies=("security.authentication",))
async def every_claim_of_a_token_is_verified(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A token for another audience, of another issuer, expired, or without a claim is refused."""
    if not testbed.lease.jwt_private_key:
        raise Inconclusive("The testbed's private JWT key is not known to the check.")
    victim = await _victim(alice, platform)
    key = tokens.private_key(testbed.lease.jwt_private_key)
    good = tokens.genuine(victim.claims, key, victim.header)
    legitimate = platform.anonymous.carrying(
        good, "alice, with a token signed by the service's key"
    )
    (await legitimate.get(victim.account.url)).expect(200)
    found: list[Decision] = []
    for title, variants in _claims(victim.claims, fresh):
        try:
            with probe(title):
                for what, claims in variants:
                    bad = tokens.genuine(claims, key, victim.header)
                    odd = any(not isinstance(claims.get(name, ""), str | int) for name in _VERIFIED)
                    await victim.refuses(bad, what, _CLAIMS_HINT, by_401=not odd)
        except Decision as decision:
            found.append(decision)
    believed = [one.because for one in found if isinstance(one, Vulnerable)]
    if believed:
        raise Vulnerable(" ".join(believed), _CLAIMS_HINT)
    if found:
        raise found[0]


def _claims(
    claims: dict[str, Any], fresh: Fresh
) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    issuer, now = str(claims["iss"]), tokens.now()
    audiences = [
        fresh.word(),
        "Payments",
        "payments2",
        "payment",
        "x-payments",
        "",
        None,
        [],
        [fresh.word()],
        {"payments": 1},
    ]
    yield "audience", [(f"whose audience is {aud!r}", claims | {"aud": aud}) for aud in audiences]
    host = f"https://{fresh.word()}.example"
    issuers = [host, f"{issuer}.example", issuer[:-1], f"x{issuer}", f"{host}/{issuer}", "", None]
    yield "issuer", [(f"whose issuer is {iss!r}", claims | {"iss": iss}) for iss in issuers]
    old = [
        (f"that expired {age} s ago", claims | {"iat": now - age - 600, "exp": now - age})
        for age in _LONG_AGO
    ]
    yield (
        "expiry",
        [
            *old,
            ("that expired in 1970", claims | {"exp": 0}),
            ("whose expiry is null", claims | {"exp": None}),
        ],
    )
    yield (
        "a claim left out",
        [(f"without {name}", {k: v for k, v in claims.items() if k != name}) for name in _VERIFIED],
    )
