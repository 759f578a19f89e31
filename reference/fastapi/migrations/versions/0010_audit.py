"""The audit log, and what metrics and traces look for"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010_audit"
down_revision = "0009_webhook_endpoints"
branch_labels = None
depends_on = None

CAUSED = ("operations", "events")


def upgrade() -> None:
    op.create_table(
        "audit_records",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("merchant_id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("details", postgresql.JSONB, nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
    )
    op.create_index("audit_records_list_idx", "audit_records", ["merchant_id", "number"])
    op.create_index(
        "audit_records_object_idx", "audit_records", ["merchant_id", "object_id", "number"]
    )
    op.execute(
        """
        CREATE FUNCTION audit_records_are_immutable() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'audit records are immutable'; END$$
        """
    )
    op.execute(
        """
        CREATE TRIGGER audit_records_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_records
        FOR EACH STATEMENT EXECUTE FUNCTION audit_records_are_immutable()
        """
    )
    op.create_index(
        "deliveries_dead_idx",
        "deliveries",
        ["created_at"],
        postgresql_where=sa.text("status = 'dead'"),
    )
    # The trace that a change is part of, where the process that makes it is traced.
    for table in CAUSED:
        default = sa.text("current_setting('payments.cause', true)")
        op.add_column(table, sa.Column("cause", sa.Text, server_default=default))


def downgrade() -> None:
    for table in CAUSED:
        op.drop_column(table, "cause")
    op.drop_index("deliveries_dead_idx")
    op.drop_table("audit_records")
    op.execute("DROP FUNCTION audit_records_are_immutable()")
