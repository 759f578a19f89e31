"""Standard Webhooks as a merchant's server reads them (contract 17.4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from checks.evidence import JournalEntry
from checks.verdicts import Broken

#: Bytes of a secret (contract 17.1).
_LEAST, _MOST = 24, 64

#: Seconds by which the time of an attempt may differ from that of its arrival: far more than a
#: busy machine needs, far less than the pauses between attempts of real services.
_LATE = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a merchant's server; ``at`` is the monotonic clock's, in seconds.

    ``status`` is what it was answered, if anything.
    """

    id: str
    timestamp: int
    signatures: tuple[str, ...]
    body: bytes
    at: float
    status: int | None

    @classmethod
    def of(cls, entry: JournalEntry) -> Self:
        """Read what arrived. Raises ``Broken`` for what is no ``POST`` with the three headers."""
        headers = dict(entry.headers)
        given = [headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
        id_, timestamp, signature = given
        if entry.method != "POST" or not all(given) or not timestamp.isdecimal():
            raise Broken(
                f"A merchant's server is called by {entry.method} with webhook-id {id_!r},"
                f" webhook-timestamp {timestamp!r} and webhook-signature {signature!r}."
            )
        signatures = tuple(signature.split(" "))
        return cls(id_, int(timestamp), signatures, entry.body.encode(), entry.at, entry.status)

    @property
    def taken(self) -> bool:
        """Whether it was answered 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def told(self) -> dict[str, Any]:
        """What it tells. Raises ``Broken`` for what is no JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Broken(f"A merchant's server is sent {self.body[:200]!r}, and no JSON object.")
        return value

    def expect_signed(self, secrets: Sequence[str], perhaps: Sequence[str] = ()) -> None:
        """It is signed once under each of these secrets, at the time of this attempt.

        It may be signed under some secrets besides, and no others. Raises ``Broken`` if not.
        """
        signed = f"{self.id}.{self.timestamp}.".encode() + self.body
        wanted = {_signature(secret, signed) for secret in secrets}
        allowed = wanted | {_signature(secret, signed) for secret in perhaps}
        found = set(self.signatures)
        if not wanted <= found <= allowed or len(self.signatures) != len(found):
            raise Broken(
                f"The call for {self.id} carries the signatures {' '.join(self.signatures)};"
                f" they must be {' '.join(sorted(wanted))}."
            )
        arrived = time.time() - (time.monotonic() - self.at)
        if abs(arrived - self.timestamp) > _LATE:
            raise Broken(
                f"The call for {self.id} says that it was made at {self.timestamp}, and arrived at"
                f" {arrived:.0f}."
            )


def key_of(secret: str) -> bytes:
    """The bytes that a secret stands for. Raises ``Broken`` if it is none (contract 17.1)."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith("whsec_") or not _LEAST <= len(key) <= _MOST:
        raise Broken(f"A secret of an endpoint is whsec_ and the base64 of {len(key)} bytes.")
    return key


def _signature(secret: str, signed: bytes) -> str:
    mac = hmac.digest(key_of(secret), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(mac).decode()}"
