"""Rules 1.9, 1.10, 6.15 and 9.1."""

from decimal import ROUND_HALF_EVEN, Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.kit.money import EXPONENTS, MAX_AMOUNT, decimal_string, fee_of, minor_units

amounts = st.integers(1, MAX_AMOUNT)
currencies = st.sampled_from(sorted(EXPONENTS))


@given(amounts, currencies)
def test_a_decimal_string_reads_back_as_the_same_amount(amount: int, currency: str) -> None:
    text = decimal_string(amount, currency)
    assert minor_units(text, currency) == amount
    assert Decimal(text).scaleb(EXPONENTS[currency]) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1250, "GBP", "12.50"), (1250, "JPY", "1250"), (1250, "KWD", "1.250"), (5, "GBP", "0.05")],
)
def test_a_decimal_string_has_the_digits_of_its_currency(
    amount: int, currency: str, text: str
) -> None:
    assert decimal_string(amount, currency) == text


@pytest.mark.parametrize(
    "text",
    [
        "12.5",
        "12.500",
        "12",
        "1e2",
        "-12.50",
        "+1.00",
        " 1.00",
        "1,00",
        "01.00",
        "",
        "\u0661.\u0660\u0660",
    ],
)
def test_other_spellings_are_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        minor_units(text, "GBP")


@given(amounts, st.integers(0, 10_000))
def test_a_fee_is_rounded_half_to_even(amount: int, basis_points: int) -> None:
    exact = Decimal(amount) * basis_points / 10_000
    fee = fee_of(amount, basis_points)
    assert fee == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    assert 0 <= fee <= amount


def test_the_migration_opens_platform_accounts_in_every_known_currency() -> None:
    path = Path(__file__).parent.parent / "migrations" / "versions" / "0002_ledger.py"
    spec = spec_from_file_location("ledger_migration", path)
    assert spec is not None
    assert spec.loader is not None
    migration = module_from_spec(spec)
    spec.loader.exec_module(migration)
    assert set(migration.CURRENCIES) == set(EXPONENTS)
