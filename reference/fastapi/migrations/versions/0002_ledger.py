"""Accounts, balances, transactions, entries and deposits"""

import sqlalchemy as sa
from alembic import op

revision = "0002_ledger"
down_revision = "0001_access"
branch_labels = None
depends_on = None

PLATFORM_ACCOUNTS = {"bank": "Bank", "psp_clearing": "PSP clearing", "fees": "Fees"}

CURRENCIES = (
    *("AED", "AUD", "BHD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF"),
    *("IDR", "ILS", "INR", "ISK", "JOD", "JPY", "KRW", "KWD", "MXN", "MYR", "NOK", "NZD", "OMR"),
    *("PHP", "PLN", "RON", "SAR", "SEK", "SGD", "THB", "TND", "TRY", "USD", "VND", "ZAR"),
)


def upgrade() -> None:
    accounts = op.create_table(
        "accounts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("merchant_id", sa.Text, sa.ForeignKey("merchants.id")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("accounts_list_idx", "accounts", ["merchant_id", "created_at", "id"])

    op.create_table(
        "balances",
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("posted", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.CheckConstraint("held >= 0", name="balances_held_check"),
        sa.CheckConstraint("posted - held >= 0", name="balances_available_check"),
        # Balances change all the time: room on the page keeps the updates out of the index.
        postgresql_with={"fillfactor": 70},
    )

    op.create_table(
        "transactions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("kind", "reference", name="transactions_kind_reference_key"),
    )

    op.create_table(
        "entries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("transaction_id", sa.Text, sa.ForeignKey("transactions.id"), nullable=False),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount <> 0", name="entries_amount_check"),
    )
    op.create_index("entries_list_idx", "entries", ["account_id", "number"])
    op.create_index("entries_transaction_id_idx", "entries", ["transaction_id"])

    op.create_table(
        "deposits",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name="deposits_amount_check"),
    )

    _forbid_changes("transactions")
    _forbid_changes("entries")
    _open_platform_accounts(accounts)


def _forbid_changes(table: str) -> None:
    """What is posted stays: corrections are transactions of their own."""
    op.execute(
        f"""
        CREATE FUNCTION {table}_are_immutable() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION '{table} are immutable'; END$$
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER {table}_immutable BEFORE UPDATE OR DELETE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_are_immutable()
        """
    )


def _open_platform_accounts(accounts: sa.Table) -> None:
    op.execute(
        accounts.insert().values(
            [
                {
                    "id": f"{purpose}:{currency}",
                    "name": f"{name} {currency}",
                    "currency": currency,
                    "version": 1,
                    "created_at": sa.func.now(),
                }
                for purpose, name in PLATFORM_ACCOUNTS.items()
                for currency in CURRENCIES
            ]
        )
    )


def downgrade() -> None:
    for table in ("deposits", "entries", "transactions", "balances", "accounts"):
        op.drop_table(table)
    for table in ("entries", "transactions"):
        op.execute(f"DROP FUNCTION {table}_are_immutable()")
