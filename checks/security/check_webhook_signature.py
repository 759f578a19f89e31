"""psp-webhook-unsigned: notices are believed, whoever brings them (CWE-347)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.notices import bring, left_open, post_notice, psp_notice, signature
from checks.probes import probe
from checks.processor import last_reference
from checks.registry import check
from checks.shapes import Payment
from checks.tenants import Merchant, Platform, payment_body
from checks.testbed.faults import FaultKind
from checks.verdicts import Broken, NotReached, Vulnerable

_HINT = (
    "Compute the HMAC over time and raw body with the PSP's secret, and compare all of it in"
    " constant time. A notice whose signature is missing, unreadable or wrong is refused before"
    " anything of it is used."
)

_ZEROS = "0" * 64

#: Where it is charged that a payment without an outcome is not left open.
_OPEN = "resilience/no_answer_is_neither_paid_nor_declined"

#: What a PSP's operation would say otherwise in a notice that was signed once.
_OTHERWISE = (
    {"status": "declined", "reason": "insufficient_funds"},
    {"status": "succeeded", "reason": None},
    {"amount": "0.01"},
    {"type": "refund"},
)

#: What it would say of an operation that nobody asked for.
_NOTHING = {"reference": "another", "authorisation": "auth_another"}

#: The same endpoint, as some routers spell it.
_SPELT = ("/v1/webhooks/psp/", "/V1/webhooks/psp", "/v1//webhooks/psp", "/v1/webhooks/%70sp")


@dataclass(frozen=True, slots=True)
class _Forger:
    """What one knows who does not know the PSP's secret: the bank's, and notices of the PSP's."""

    testbed: Testbed
    platform: Platform
    fresh: Fresh
    at: str

    def headers(self, notice: bytes, seen: Sequence[bytes]) -> dict[str, tuple[str | None, ...]]:
        """Signatures for a notice, by what they are; ``seen`` notices were signed by the PSP."""
        lease, at = self.testbed.lease, self.at
        signed = at.encode() + b"." + notice

        def by(*macs: str) -> tuple[str, ...]:
            return tuple(f"t={at},v1={mac}" for mac in macs)

        return {
            "no signature": (None,),
            "an empty signature": ("",),
            "a signature that cannot be read": ("v1", "t=,v1=,", f"t=now,v1={_ZEROS}", "=" * 40),
            "a time alone": (f"t={at}",),
            "zeros for a signature": by(_ZEROS),
            "the signature of another secret": by(signature(self.fresh.word(32), notice, at)),
            "the signature of an empty secret": by(signature("", notice, at)),
            "the signature of the bank's secret": by(signature(lease.bank_secret, notice, at)),
            "a digest without any secret": by(
                hashlib.sha256(signed).hexdigest(), hashlib.sha256(notice).hexdigest()
            ),
            "the signature of another notice": by(
                *(signature(lease.psp_secret, other, at) for other in seen)
            ),
            "a part of a signature": by("", *"0123456789abcdef"),
        }

    async def send(self, notice: bytes, header: str | None, replica: int) -> Answer:
        """Bring it."""
        return await post_notice("psp", notice, header, self.platform, replica)


@check(
    "psp-webhook-unsigned",
    needs=(*contract.payments, "contract/a_notice_settles_a_payment"),
    competencies=("security.authentication", "resilience.outside-calls"),
)
async def a_notice_is_believed_for_its_signature(
    alice: Merchant, bob: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A notice that the PSP has not signed settles no payment, and ends none."""
    forger = _Forger(testbed, platform, fresh, str(int(time.time())))
    decline = {"status": "declined", "reason": "insufficient_funds"}
    await _of_a_sale(forger, alice, "drop_before", {"status": "succeeded"})
    await _of_a_sale(forger, bob, "drop_after", decline)

    card = fresh.card()
    authorised = await alice.pay(capture=False, card=card)
    (told,) = await testbed.psp.told(card)
    expiry = told | {"id": f"op_{fresh.word(24)}", "type": "expiry"}
    await _attack(forger, expiry, alice, authorised)

    fault = await testbed.psp.fault("drop_before", "capture", "lookup", token=card)
    await alice.post(f"{authorised.url}/capture", {}, key=fresh.key())
    members = {"type": "capture", "reference": await _reference(testbed, card)}
    capture = told | {"id": f"op_{fresh.word(24)}"} | members
    await _attack(forger, capture, alice, await alice.payment(authorised))
    await testbed.psp.lift(fault)


async def _of_a_sale(
    forger: _Forger, merchant: Merchant, kind: FaultKind, told: Mapping[str, object]
) -> None:
    """Tell the end of a sale, the only one of a merchant's, that the PSP does not answer for."""
    testbed, fresh, card = forger.testbed, forger.fresh, forger.fresh.card()
    fault = await testbed.psp.fault(kind, "sale", "lookup", token=card)
    body = payment_body(await merchant.open_account(), fresh.money(1_000, 90_000), card)
    unknown = await left_open(merchant, body)
    if unknown is None:
        raise NotReached("A payment that the PSP did not answer for was not left open.", _OPEN)
    sale = {
        "id": f"op_{fresh.word(24)}",
        "type": "sale",
        "authorisation": f"auth_{fresh.word(24)}",
        "amount": unknown.amount.money.decimal,
        "currency": unknown.amount.currency,
        "reference": await _reference(testbed, card),
        "reason": None,
        **told,
    }
    await _attack(forger, sale, merchant, unknown)
    await testbed.psp.lift(fault)


async def _attack(
    forger: _Forger, operation: Mapping[str, object], merchant: Merchant, payment: Payment
) -> None:
    """Bring a notice of an operation in every way but the right one: the payment stays as it is."""
    notice = psp_notice(operation, forger.fresh)
    id_ = json.loads(notice)["id"]
    seen = [
        json.dumps({"id": id_, "operation": {**operation, **otherwise}}).encode()
        for otherwise in _OTHERWISE
        if {**operation, **otherwise} != operation
    ]
    with probe("a notice that the PSP has signed, about nothing that was asked for"):
        about_nothing = json.dumps({"id": id_, "operation": {**operation, **_NOTHING}}).encode()
        for replica in forger.testbed.replicas:
            await bring("psp", about_nothing, forger.testbed, forger.platform, replica)
        payment = await merchant.payment(payment)
    what = f"a notice of the {operation['type']} of a payment"
    for title, headers in forger.headers(notice, seen).items():
        with probe(f"{what}, with {title}"):
            answers = [
                await forger.send(notice, header, replica)
                for header in headers
                for replica in forger.testbed.replicas
            ]
            await _unmoved(merchant, payment, f"{answers[-1]} with {title}")
            for answer in answers:
                if not answer.refused:
                    raise Broken(f"{answer} with {title}; the contract asks for 401.", _HINT)
    with probe(f"{what}, without a signature and in other spellings of the path"):
        for path in _SPELT:
            answer = await forger.platform.anonymous.post(path, content=notice)
            await _unmoved(merchant, payment, f"{answer} without a signature")


async def _unmoved(merchant: Merchant, payment: Payment, how: str) -> None:
    """The payment is as it was."""
    now = await merchant.payment(payment)
    if now.status != payment.status:
        raise Vulnerable(
            f"{how}: the payment, which was {payment.status}, is {now.status} by a notice that the"
            " PSP has not sent.",
            _HINT,
        )


async def _reference(testbed: Testbed, card: str) -> str:
    """What the service calls the last operation that it asked the PSP for."""
    reference = last_reference(await testbed.psp.journal(card))
    if reference is None:
        raise Broken("A payment was left open, and the PSP was not asked for it.")
    return reference
