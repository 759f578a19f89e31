"""Creating merchants and clients, and exchanging secrets for tokens."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from math import ceil

from sqlalchemy.ext.asyncio import AsyncSession

from payments.access import repository
from payments.access.models import Client, Merchant, Role
from payments.access.repository import ClientRepository
from payments.access.tokens import Caller
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.kit.settings import Settings

SECRET_BYTES = 32


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret.

    A fast hash is enough here: the secret is 256 random bits of our own making, which nobody can
    guess offline however fast the hash is. Slow hashes protect what people think up.
    """
    return hashlib.sha256(secret.encode()).digest()


async def create_merchant(session: AsyncSession, name: str) -> tuple[Merchant, Client, str]:
    """A merchant with its first owner, and that owner's secret."""
    merchant = Merchant(id=new_id("mer"), name=name, created_at=datetime.now(UTC))
    session.add(merchant)
    await session.flush()
    owner, secret = await create_client(session, merchant.id, "owner", Role.OWNER, created_by=None)
    return merchant, owner, secret


async def create_client(
    session: AsyncSession, merchant_id: str, name: str, role: Role, *, created_by: str | None
) -> tuple[Client, str]:
    """A client and its secret, which is not kept."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    client = Client(
        id=new_id("cli"),
        merchant_id=merchant_id,
        name=name,
        role=role.value,
        secret_hash=hash_secret(secret),
        created_by=created_by,
        created_at=datetime.now(UTC),
    )
    session.add(client)
    await session.flush()
    return client, secret


async def delete_client(session: AsyncSession, caller: Caller, client_id: str) -> None:
    """End a client; its tokens end when they expire.

    Raises:
        Problem: 404, or 409 ``last_owner``.
    """
    clients = ClientRepository(session, caller.merchant_id)
    owners = await clients.count_owners()
    client = await clients.get(client_id)
    if client is None:
        raise not_found()
    if client.role == Role.OWNER and owners == 1:
        raise Problem(409, "last_owner", "A merchant keeps at least one owner.")
    client.deleted_at = datetime.now(UTC)


async def authenticate(
    session: AsyncSession, settings: Settings, client_id: str, secret: str
) -> Caller | Problem:
    """The caller whose secret this is, or the refusal.

    The refusal is returned, not raised, since the failure that it counts has to be committed.
    """
    client = await repository.lock_client(session, client_id)
    if client is None:
        return _invalid_client()
    now = datetime.now(UTC)
    if client.locked_until is not None and client.locked_until > now:
        wait = ceil((client.locked_until - now).total_seconds())
        return Problem(429, "too_many_failures", "Too many wrong secrets.", retry_after=wait)
    if hmac.compare_digest(client.secret_hash, hash_secret(secret)):
        if client.failures:
            client.failures = 0
        return Caller(client.id, client.merchant_id, Role(client.role))
    client.failures += 1
    if client.failures >= settings.auth_max_failures:
        client.failures = 0
        client.locked_until = now + timedelta(seconds=settings.auth_lockout_seconds)
    return _invalid_client()


def _invalid_client() -> Problem:
    return Problem(
        401,
        "invalid_client",
        "There is no client with this id and secret.",
        headers={"WWW-Authenticate": "Bearer"},
    )
