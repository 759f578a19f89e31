"""Merchants, clients and tokens, as spoken."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from payments.access.models import Client, Merchant, Role
from payments.kit.text import NO_CONTROL_CHARACTERS, Name

Credential = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL_CHARACTERS)
]


class MerchantCreate(BaseModel):
    """A merchant to be created."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class ClientCreate(BaseModel):
    """A client to be created."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    role: Role


class ClientOut(BaseModel):
    """A client."""

    id: str
    name: str
    role: Role
    created_by: str | None
    created_at: datetime

    @classmethod
    def of(cls, client: Client) -> Self:
        """Show a client."""
        return cls(
            id=client.id,
            name=client.name,
            role=Role(client.role),
            created_by=client.created_by,
            created_at=client.created_at,
        )


class ClientWithSecret(ClientOut):
    """A client just created: the only time that its secret is shown."""

    secret: str

    @classmethod
    def revealing(cls, client: Client, secret: str) -> Self:
        """Show a client with its secret."""
        return cls(**ClientOut.of(client).model_dump(), secret=secret)


class MerchantOut(BaseModel):
    """A merchant just created, with its first client."""

    id: str
    name: str
    created_at: datetime
    owner: ClientWithSecret

    @classmethod
    def of(cls, merchant: Merchant, owner: ClientWithSecret) -> Self:
        """Show a merchant."""
        return cls(id=merchant.id, name=merchant.name, created_at=merchant.created_at, owner=owner)


class TokenRequest(BaseModel):
    """A client's credentials."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    client_id: Credential
    client_secret: Credential


class TokenOut(BaseModel):
    """An access token; ``expires_in`` is in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int


class PublicKey(BaseModel):
    """A public key as a JWK (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class PublicKeys(BaseModel):
    """A JWK set (RFC 7517)."""

    keys: list[PublicKey]
