"""Payments, refunds and operations at the PSP"""

import sqlalchemy as sa
from alembic import op

revision = "0004_card_payments"
down_revision = "0003_transfers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("merchant_id", sa.Text, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("payment_method", sa.Text, nullable=False),
        sa.Column("capture", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("captured", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.BigInteger, nullable=False),
        sa.Column("psp_authorisation", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name="payments_amount_check"),
        sa.CheckConstraint("captured BETWEEN 0 AND amount", name="payments_captured_check"),
    )
    for column in ("created_at", "amount"):
        op.create_index(f"payments_{column}_idx", "payments", ["merchant_id", column, "id"])
        op.create_index(
            f"payments_status_{column}_idx", "payments", ["merchant_id", "status", column, "id"]
        )

    op.create_table(
        "refunds",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("payment_id", sa.Text, sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name="refunds_amount_check"),
    )
    op.create_index("refunds_list_idx", "refunds", ["payment_id", "created_at", "id"])

    op.create_table(
        "operations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("payment_id", sa.Text, sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("refund_id", sa.Text, sa.ForeignKey("refunds.id")),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passes", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("amount > 0", name="operations_amount_check"),
    )
    op.create_index("operations_payment_id_idx", "operations", ["payment_id"])
    op.create_index(
        "operations_due_idx",
        "operations",
        ["due_at"],
        postgresql_where=sa.text("status IN ('pending', 'unknown')"),
    )
    # One capture or one void of a payment, of which at most one is alive: the last line of defence
    # behind the payment's lock.
    op.create_index(
        "operations_one_capture_or_void_key",
        "operations",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("type IN ('capture', 'void') AND status <> 'failed'"),
    )
    op.create_index("operations_refund_id_key", "operations", ["refund_id"], unique=True)


def downgrade() -> None:
    for table in ("operations", "refunds", "payments"):
        op.drop_table(table)
