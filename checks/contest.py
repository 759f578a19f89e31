"""Concurrent requests on a fresh state, and how to tell what came of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from checks.client import Answer, Client
from checks.interleaving import Send
from checks.losers import seen
from checks.shapes import Account
from checks.tenants import Merchant

#: What the API shows after a contest, as JSON.
View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contest:
    """Requests that run at once; each is sent to the replica that it is given.

    ``view`` gives what the API shows afterwards; ``verify`` is given the final answers and that
    view, and raises what it finds wrong. ``agree`` compares with the harness's own books, which
    takes longer, given the final answers. ``read`` reads something through a replica. Requests that
    are ``alike`` are one, sent more than once: it is the same whichever is interrupted.
    """

    requests: Sequence[Send]
    view: Callable[[], Awaitable[View]]
    verify: Callable[[Sequence[Answer], View], None]
    agree: Callable[[Sequence[Answer]], Awaitable[None]]
    read: Callable[[int], Awaitable[object]]
    alike: bool = False


#: Makes a fresh state, and so many requests on it.
Prepare = Callable[[int], Awaitable[Contest]]


def posting(client: Client, path: str, body: object, key: str) -> Send:
    """A POST under a key, to whichever replica."""

    async def send(replica: int) -> Answer:
        return await client.post(path, body, key=key, replica=replica)

    return send


def reading(merchant: Merchant, account: Account) -> Send:
    """A look at an account through a replica, unrecorded."""

    async def read(replica: int) -> Answer:
        return await merchant.get(account.url, replica=replica, record=False)

    return read


async def callers_of(merchant: Merchant) -> tuple[Client, Client]:
    """Two clients of a merchant's, logged in: a lock named after either keeps nobody out."""
    callers = (merchant.owner, await merchant.client("operator"))
    for caller in callers:
        await seen(caller, "/v1/accounts")
    return callers
