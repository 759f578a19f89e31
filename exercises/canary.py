"""The canary of a kit: sealed words that tell which kit a text has got out of.

    assay-canary-mfrggzdfmztwq2lk...

Only whoever has the key can open it, or make one that opens. The same words are sealed the same
(AES-SIV, RFC 5297), so that a kit that is made again is the same kit.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from pydantic import BaseModel, ConfigDict, ValidationError

#: Bytes of a key: two of AES-256.
KEY_BYTES = 64

_PREFIX = "assay-canary-"
_SEALED = re.compile(rf"{_PREFIX}([a-z2-7]{{32,2000}})", re.ASCII)
_FOR = [b"assay kit"]


class Handed(BaseModel):
    """A kit as it was handed out: which exercise, in the form of which seed, and ``to`` whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exercise: str
    seed: int
    to: str


def sealed(handed: Handed, key: bytes) -> str:
    """The canary that only this key opens."""
    box = AESSIV(key).encrypt(handed.model_dump_json().encode(), _FOR)
    return _PREFIX + base64.b32encode(box).decode().rstrip("=").lower()


def canaries(text: str) -> Iterator[str]:
    """The canaries that stand in a text, in their order, each once."""
    yield from dict.fromkeys(found.group() for found in _SEALED.finditer(text))


def opened(canary: str, key: bytes) -> Handed | None:
    """What a canary says; ``None`` if another key has sealed it, or none."""
    text = canary.removeprefix(_PREFIX).upper()
    try:
        box = base64.b32decode(text + "=" * (-len(text) % 8))
        return Handed.model_validate_json(AESSIV(key).decrypt(box, _FOR))
    except (binascii.Error, InvalidTag, ValidationError, ValueError):
        return None
