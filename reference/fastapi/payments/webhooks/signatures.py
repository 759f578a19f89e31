"""Signatures of notices (section 15 of the contract)."""

import hashlib
import hmac
import re

from payments.kit.problems import Problem

_TIME = re.compile(r"t=([0-9]{1,12})", re.ASCII)
_MAC = re.compile(r"v1=([0-9A-Fa-f]{64})", re.ASCII)


def verify(secret: str, header: str | None, body: bytes, now: float, tolerance: float) -> None:
    """See that a notice comes from whoever knows the secret, and came just now.

    ``now`` is in seconds since 1970, as is the time that is signed with the raw body; they may be
    ``tolerance`` seconds apart.

    Raises:
        Problem: 401 ``signature_invalid``; without a secret, always.
    """
    parts = [part.strip() for part in (header or "").split(",")]
    times = [found[1] for part in parts if (found := _TIME.fullmatch(part))]
    macs = [found[1] for part in parts if (found := _MAC.fullmatch(part))]
    if not secret or len(times) != 1 or abs(now - int(times[0])) > tolerance:
        raise _invalid()
    signed = times[0].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(expected, mac.lower()) for mac in macs):
        raise _invalid()


def _invalid() -> Problem:
    return Problem(
        401,
        "signature_invalid",
        "The notice is not signed as it has to be.",
        headers={"WWW-Authenticate": "Webhook-Signature"},
    )
