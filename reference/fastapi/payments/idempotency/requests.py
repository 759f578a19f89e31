"""The key that a request carries, and what the request asks for."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from payments.access.callers import Admin, Operator
from payments.kit.problems import Problem

ADMINISTRATOR_SCOPE = "platform"

_BARE = re.compile(r"[\x20-\x7e]{1,255}")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A key in its scope, with a fingerprint of method, path and JSON value."""

    scope: str
    key: str
    fingerprint: bytes


def parse_key(header: str | None) -> str:
    """The key of an ``Idempotency-Key`` header, which may be quoted (RFC 8941 string) or bare.

    Raises:
        Problem: 400 ``idempotency_key_missing`` or ``idempotency_key_invalid``.
    """
    if header is None:
        raise Problem(400, "idempotency_key_missing", "Send an Idempotency-Key.")
    quoted = _QUOTED.fullmatch(header)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header
    if not _BARE.fullmatch(key):
        raise Problem(
            400, "idempotency_key_invalid", "A key is 1 to 255 printable ASCII characters."
        )
    return key


async def fingerprint(request: Request) -> bytes:
    """What tells one request from another that carries the same key.

    It is taken of the JSON value, not of the bytes: white space and the order of members do not
    count.
    """
    body = await request.body()
    value = json.loads(body) if body else None
    canonical = json.dumps([request.method, request.url.path, value], sort_keys=True)
    return hashlib.sha256(canonical.encode()).digest()


_Header = Annotated[str | None, Header(alias="Idempotency-Key")]


async def _of_merchant(request: Request, caller: Operator, header: _Header = None) -> KeyedRequest:
    return KeyedRequest(caller.merchant_id, parse_key(header), await fingerprint(request))


async def _of_administrator(request: Request, _: Admin, header: _Header = None) -> KeyedRequest:
    return KeyedRequest(ADMINISTRATOR_SCOPE, parse_key(header), await fingerprint(request))


MerchantKey = Annotated[KeyedRequest, Depends(_of_merchant)]
AdminKey = Annotated[KeyedRequest, Depends(_of_administrator)]
