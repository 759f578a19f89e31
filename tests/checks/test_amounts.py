from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.amounts import Money, exponent, fee, money

CURRENCIES = st.sampled_from(["GBP", "EUR", "JPY", "KWD"])
MINOR = st.integers(min_value=-(10**12), max_value=10**12)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("12.50 GBP", 1250), ("1250 JPY", 1250), ("1.250 KWD", 1250), ("7 EUR", 700)],
)
def test_money_reads_text(text: str, minor: int) -> None:
    assert money(text) == Money(minor, text.split()[1])


def test_money_refuses_digits_beyond_the_exponent() -> None:
    with pytest.raises(ValueError, match="more digits"):
        money("0.5 JPY")


@given(MINOR, CURRENCIES)
def test_decimal_has_exactly_the_exponents_digits(amount: int, currency: str) -> None:
    text = Money(amount, currency).decimal
    assert "E" not in text
    assert len(text.partition(".")[2]) == exponent(currency)
    assert money(f"{text} {currency}") == Money(amount, currency)


@given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=0, max_value=10_000))
def test_fee_is_the_nearest_and_even_on_ties(amount: int, basis_points: int) -> None:
    exact = Fraction(amount * basis_points, 10_000)
    charged = fee(Money(amount, "GBP"), basis_points).amount
    assert abs(charged - exact) <= Fraction(1, 2)
    if abs(charged - exact) == Fraction(1, 2):
        assert charged % 2 == 0


def test_fee_ties() -> None:
    assert [fee(Money(amount, "GBP")).amount for amount in (100, 300, 500)] == [2, 4, 8]


@given(MINOR, MINOR)
def test_sums(left: int, right: int) -> None:
    total = Money(left, "GBP") + Money(right, "GBP")
    assert total - Money(right, "GBP") == Money(left, "GBP")
    assert Decimal(total.decimal) == Decimal(left + right) / 100


def test_currencies_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="not in GBP"):
        Money(1, "GBP") + Money(1, "EUR")
