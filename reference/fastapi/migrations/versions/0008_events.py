"""Events: the outbox, and a log to publish them to"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_events"
down_revision = "0007_payouts"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("merchant_id", sa.Text, primary_key=True),
        sa.Column("object_id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_table(
        "stream_claims",
        sa.Column("merchant_id", sa.Text, primary_key=True),
        sa.Column("object_id", sa.Text, primary_key=True),
        sa.Column("until", MOMENT, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("merchant_id", sa.Text, primary_key=True),
        sa.Column("object_id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", postgresql.JSONB, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("published_at", MOMENT),
    )
    op.create_index("events_list_idx", "events", ["merchant_id", "number"])
    op.create_index(
        "events_unpublished_idx",
        "events",
        ["number"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("merchant_id", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column(
            "published_at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")
        ),
    )


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("events")
    op.drop_table("stream_claims")
    op.drop_table("streams")
