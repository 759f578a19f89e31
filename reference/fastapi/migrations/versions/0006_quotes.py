"""Quotes, and the platform's accounts for conversions"""

import sqlalchemy as sa
from alembic import op

revision = "0006_quotes"
down_revision = "0005_idempotency"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quotes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("merchant_id", sa.Text, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("from_account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("to_account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("sell_currency", sa.Text, nullable=False),
        sa.Column("buy_currency", sa.Text, nullable=False),
        sa.Column("sell", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.BigInteger, nullable=False),
        sa.Column("buy", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.Numeric, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("executed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("sell > fee AND fee >= 0 AND buy > 0", name="quotes_amounts_check"),
    )
    op.create_index("quotes_list_idx", "quotes", ["merchant_id", "created_at", "id"])
    op.create_index("quotes_pair_idx", "quotes", ["sell_currency", "buy_currency", "created_at"])
    op.execute(
        """
        INSERT INTO accounts (id, name, currency, version, created_at)
        SELECT 'fx_clearing:' || currency, 'FX clearing ' || currency, currency, 1, now()
        FROM accounts WHERE id LIKE 'fees:%'
        """
    )


def downgrade() -> None:
    op.drop_table("quotes")
    op.execute("DELETE FROM accounts WHERE id LIKE 'fx_clearing:%'")
