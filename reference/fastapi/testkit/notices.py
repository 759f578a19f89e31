"""Notices as outside parties bring them: signed over time and raw body."""

import hashlib
import hmac
import json
import time

import httpx

SECRETS = {"bank": "secret-of-the-bank-for-tests", "psp": "secret-of-the-psp-for-tests"}


async def bring(
    http: httpx.AsyncClient,
    party: str,
    notice: object,
    *,
    secret: str | None = None,
    at: float | None = None,
    signature: str | None = None,
) -> httpx.Response:
    """Bring a notice, signed unless a signature is given; ``at`` is in seconds since 1970."""
    body = json.dumps(notice).encode()
    moment = str(int(time.time() if at is None else at))
    key = (SECRETS[party] if secret is None else secret).encode()
    mac = hmac.new(key, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    signed = f"t={moment},v1={mac}" if signature is None else signature
    headers = {"Content-Type": "application/json", "Webhook-Signature": signed}
    if not signed:
        del headers["Webhook-Signature"]
    return await http.post(f"/v1/webhooks/{party}", content=body, headers=headers)
