"""Webhook endpoints, and what is delivered to them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_webhook_endpoints"
down_revision = "0008_events"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("merchant_id", sa.Text, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("previous_secret", sa.LargeBinary),
        sa.Column("previous_until", MOMENT),
        sa.Column("disabled_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index(
        "webhook_endpoints_list_idx", "webhook_endpoints", ["merchant_id", "created_at", "id"]
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "endpoint_id",
            sa.Text,
            sa.ForeignKey("webhook_endpoints.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("event_id", sa.Text, sa.ForeignKey("events.id"), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("status_code", sa.Integer),
        sa.Column("failure", sa.Text),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.Column("delivered_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("endpoint_id", "event_id"),
    )
    op.create_index("deliveries_list_idx", "deliveries", ["endpoint_id", "created_at", "id"])
    op.create_index(
        "deliveries_by_status_idx",
        "deliveries",
        ["endpoint_id", "status", "created_at", "id"],
    )
    op.create_index(
        "deliveries_due_idx",
        "deliveries",
        ["due_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("webhook_endpoints")
