"""Transfers"""

import sqlalchemy as sa
from alembic import op

revision = "0003_transfers"
down_revision = "0002_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("from_account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("from_merchant_id", sa.Text, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("to_account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("to_merchant_id", sa.Text, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("reverses", sa.Text, sa.ForeignKey("transfers.id")),
        sa.Column("reversed_by", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("reverses", name="transfers_reverses_key"),
        sa.CheckConstraint("amount > 0", name="transfers_amount_check"),
    )
    op.create_index(
        "transfers_from_list_idx", "transfers", ["from_merchant_id", "created_at", "id"]
    )
    op.create_index("transfers_to_list_idx", "transfers", ["to_merchant_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_table("transfers")
