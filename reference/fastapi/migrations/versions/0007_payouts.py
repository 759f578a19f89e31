"""Payouts, and what approves them"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_payouts"
down_revision = "0006_quotes"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("merchant_id", sa.Text, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("payee_name", sa.Text, nullable=False),
        sa.Column("payee_bank_account", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("made_by", sa.Text, sa.ForeignKey("clients.id"), nullable=False),
        sa.Column("makers", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("approved_by", sa.Text, sa.ForeignKey("clients.id")),
        sa.Column("bank_id", sa.Text),
        sa.Column("passes", sa.Integer, nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.Column("due_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("amount > 0", name="payouts_amount_check"),
    )
    op.create_index("payouts_list_idx", "payouts", ["merchant_id", "created_at", "id"])
    op.create_index(
        "payouts_due_idx",
        "payouts",
        ["due_at"],
        postgresql_where=sa.text("status IN ('approved', 'unknown', 'submitted')"),
    )
    op.create_table(
        "payout_challenges",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("payout_id", sa.Text, sa.ForeignKey("payouts.id"), nullable=False),
        sa.Column("client_id", sa.Text, sa.ForeignKey("clients.id"), nullable=False),
        sa.Column("code_mac", sa.LargeBinary, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_index(
        "payout_challenges_newest_idx",
        "payout_challenges",
        ["payout_id", "client_id", "created_at"],
    )
    op.create_table(
        "payout_approvers",
        sa.Column("payout_id", sa.Text, sa.ForeignKey("payouts.id"), primary_key=True),
        sa.Column("client_id", sa.Text, sa.ForeignKey("clients.id"), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("payout_approvers")
    op.drop_table("payout_challenges")
    op.drop_table("payouts")
