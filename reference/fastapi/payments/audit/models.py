"""The audit log, as stored."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, FetchedValue, Identity
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class Action(StrEnum):
    """What somebody did; see rule 7.11 of the contract."""

    MERCHANT_CREATED = "merchant.created"
    CLIENT_CREATED = "client.created"
    CLIENT_DELETED = "client.deleted"
    ACCOUNT_RENAMED = "account.renamed"
    DEPOSIT_CREATED = "deposit.created"
    REFUND_REQUESTED = "refund.requested"
    VOID_REQUESTED = "void.requested"
    PAYOUT_CREATED = "payout.created"
    PAYOUT_CHANGED = "payout.changed"
    PAYOUT_CANCELLED = "payout.cancelled"
    PAYOUT_CODE_REQUESTED = "payout.code_requested"
    PAYOUT_CODE_REFUSED = "payout.code_refused"
    PAYOUT_APPROVED = "payout.approved"
    ENDPOINT_REGISTERED = "webhook_endpoint.registered"
    ENDPOINT_CHANGED = "webhook_endpoint.changed"
    ENDPOINT_SECRET_ROTATED = "webhook_endpoint.secret_rotated"  # noqa: S105
    ENDPOINT_DELETED = "webhook_endpoint.deleted"
    DELIVERY_REPEATED = "delivery.repeated"


class AuditRecord(Base):
    """One act of a client's or the administrator's; ``details`` say in short what was changed.

    It names its objects without referring to them: what is deleted stays in the log.
    """

    __tablename__ = "audit_records"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    merchant_id: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    object_id: Mapped[str]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
