"""The PSP's settlement files, and how they differ from our books"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011_settlements"
down_revision = "0010_audit"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def of_settlement(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "settlement_id",
        sa.Text,
        sa.ForeignKey("settlements.id"),
        primary_key=primary_key,
        nullable=False,
    )


def upgrade() -> None:
    op.create_table(
        "settlements",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("asked_at", MOMENT),
        sa.Column("failure", sa.Text),
        sa.Column("failure_line", sa.Integer),
        sa.Column("comparisons", sa.Integer, nullable=False),
        sa.Column("movements", sa.Integer, nullable=False),
        sa.Column("differences", sa.Integer, nullable=False),
        sa.Column("resolved", sa.Integer, nullable=False),
        sa.Column("passes", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("claimed_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index(
        "settlements_due_idx",
        "settlements",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "settlement_totals",
        of_settlement(primary_key=True),
        sa.Column("type", sa.Text, primary_key=True),
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "settlement_rows",
        of_settlement(primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("occurrence", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("settlement_rows_reference_idx", "settlement_rows", ["reference"])
    op.create_table(
        "settlement_differences",
        sa.Column("id", sa.Text, primary_key=True),
        of_settlement(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("occurrence", sa.Integer, nullable=False),
        sa.Column("theirs", postgresql.JSONB),
        sa.Column("ours", postgresql.JSONB),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("resolved_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("settlement_id", "reference", "occurrence", "kind"),
    )
    listed = ["settlement_id", "created_at", "id"]
    op.create_index("settlement_differences_list_idx", "settlement_differences", listed)
    op.create_index(
        "settlement_differences_open_idx",
        "settlement_differences",
        listed,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "settlement_differences_resolved_idx",
        "settlement_differences",
        listed,
        postgresql_where=sa.text("resolved_at IS NOT NULL"),
    )
    op.create_index(
        "settlement_differences_missing_idx",
        "settlement_differences",
        ["reference"],
        postgresql_where=sa.text("kind = 'missing' AND resolved_at IS NULL"),
    )
    # What a day's file has to hold is found by when it ended.
    op.create_index(
        "operations_moved_idx",
        "operations",
        ["settled_at", "id"],
        postgresql_where=sa.text("status = 'succeeded' AND type IN ('sale', 'capture', 'refund')"),
    )


def downgrade() -> None:
    op.drop_index("operations_moved_idx", "operations")
    for table in ("differences", "rows", "totals"):
        op.drop_table(f"settlement_{table}")
    op.drop_table("settlements")
