"""Idempotency keys, as stored."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from payments.kit.database import Base


class IdempotencyKey(Base):
    """A key that a request has claimed, and the answer once there is one.

    Work with an outside call names its persisted attempt in ``operation_id``, where a later request
    picks it up if the first one died.
    """

    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    operation_id: Mapped[str | None]
    status: Mapped[int | None]
    body: Mapped[str | None]
    created_at: Mapped[datetime]
