"""Webhooks as Standard Webhooks says (contract 17.4)."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence

from payments.events.models import Event

SECRET_BYTES = 24


def new_secret() -> bytes:
    """A secret for an endpoint."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its owner is told it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def body_of(event: Event) -> bytes:
    """What is sent of an event; the same bytes each time."""
    told = {
        "type": event.type,
        "timestamp": event.created_at.isoformat().replace("+00:00", "Z"),
        "object": event.object_id,
        "sequence": event.sequence,
        "data": event.data,
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def headers_of(event_id: str, at: int, body: bytes, keys: Sequence[bytes]) -> Mapping[str, str]:
    """The headers of a call at a moment in Unix seconds, signed under each of the secrets."""
    signed = f"{event_id}.{at}.".encode() + body
    macs = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "Content-Type": "application/json",
        "User-Agent": "payments-webhooks/1",
        "Webhook-Id": event_id,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": " ".join(f"v1,{mac}" for mac in macs),
    }
