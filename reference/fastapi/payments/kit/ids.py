"""Ids: opaque, prefixed, unguessable."""

import secrets
from typing import Annotated, Any

from fastapi import Path
from pydantic import StringConstraints

RANDOM_BYTES = 16


def new_id(prefix: str) -> str:
    """A new id such as ``acc_`` and 32 hexadecimal digits, 128 bits from the system's source."""
    return f"{prefix}_{secrets.token_hex(RANDOM_BYTES)}"


def path_id(prefix: str) -> Any:
    """The declaration of a path parameter that holds such an id.

    A value of another shape names nothing: it is answered 404 (see ``problems``) without a query.
    """
    return Path(pattern=rf"^{prefix}_[0-9a-f]{{{2 * RANDOM_BYTES}}}$")


IdReference = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")
]
"""An id named in a body. One of an odd shape is 422, one that names nothing 404."""
