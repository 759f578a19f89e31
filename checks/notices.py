"""Notices as the PSP and the bank bring them (contract 6.26, 12.16, 15)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Literal

from checks.attachment import Testbed
from checks.client import Answer
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.probes import probe
from checks.shapes import Payment
from checks.tenants import Merchant, Platform

Party = Literal["psp", "bank"]


async def left_open(merchant: Merchant, body: object) -> Payment | None:
    """A sale that the PSP was told to leave unanswered, as the merchant's one open payment.

    ``None`` where it was not left open, which is another check's matter.
    """
    with probe("a sale that the PSP carries out without answering") as attempt:
        answer = await merchant.post("/v1/payments", body, key=merchant.fresh.key())
        found = [
            answer.read_value(item, Payment)
            async for answer, item in merchant.walk("/v1/payments", status="unknown")
        ]
        if ambiguous(answer) and len(found) == 1:
            return found[0]
        attempt.note("The payment was not left open: another check's matter.")
    return None


def psp_notice(operation: Mapping[str, object], fresh: Fresh) -> bytes:
    """What the PSP tells of an operation (contract 9.11)."""
    return json.dumps({"id": f"ntc_{fresh.word(24)}", "operation": operation}).encode()


def bank_notice(payment: Mapping[str, object], fresh: Fresh) -> bytes:
    """What the bank tells of a payment (contract 13.5)."""
    return json.dumps({"id": f"ntc_{fresh.word(24)}", "payment": payment}).encode()


def signature(secret: str, notice: bytes, at: str) -> str:
    """The MAC of a notice over time (seconds since 1970) and raw body (contract 15.1)."""
    signed = at.encode() + b"." + notice
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


async def bring(
    party: Party,
    notice: bytes,
    testbed: Testbed,
    platform: Platform,
    replica: int | None = None,
) -> Answer:
    """Bring a notice, signed as it has to be."""
    secret = {"psp": testbed.lease.psp_secret, "bank": testbed.lease.bank_secret}[party]
    at = str(int(time.time()))
    header = f"t={at},v1={signature(secret, notice, at)}"
    return await post_notice(party, notice, header, platform, replica)


async def post_notice(
    party: Party, notice: bytes, header: str | None, platform: Platform, replica: int | None = None
) -> Answer:
    """Send a notice with this for its signature, or without one."""
    headers = {} if header is None else {"Webhook-Signature": header}
    return await platform.anonymous.post(
        f"/v1/webhooks/{party}", content=notice, headers=headers, replica=replica
    )
