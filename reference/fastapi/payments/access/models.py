"""Merchants and their clients, as stored."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class Role(StrEnum):
    """What a client may do; see rule 2.3 of the contract."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OWNER = "owner"


class Merchant(Base):
    """A tenant of the platform."""

    __tablename__ = "merchants"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]


class Client(Base):
    """A program of the merchant's that calls this service.

    ``failures`` counts wrong secrets in a row; until ``locked_until`` none is even looked at.
    """

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchants.id"))
    name: Mapped[str]
    role: Mapped[str]
    secret_hash: Mapped[bytes]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
