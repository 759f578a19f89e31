"""Rules 10.2 and 10.7: what a conversion costs, and which rates are believed."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.fx.rates import Belief, Rate
from payments.kit.money import EXPONENTS, MAX_AMOUNT, fee_of
from payments.kit.problems import Problem
from payments.quotes.service import price

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)

currencies = st.sampled_from(sorted(EXPONENTS))
rates = st.decimals("0.000000000001", "9999999999", allow_nan=False, places=12)


def belief(last: str | None = None) -> Belief:
    return Belief(
        "GBP",
        "JPY",
        now=NOW,
        max_age=timedelta(seconds=300),
        max_deviation=Decimal("0.10"),
        last=Decimal(last) if last else None,
    )


def rate(value: str = "190", base: str = "GBP", quote: str = "JPY", age: float = 0.0) -> Rate:
    return Rate(base, quote, Decimal(value), NOW - timedelta(seconds=age))


@pytest.mark.parametrize(
    ("told", "last"),
    [
        (rate(), None),
        (rate(), "190"),
        (rate("209"), "190"),
        (rate("171"), "190"),
        (rate("0.000000000001"), None),
        (rate(age=300), None),
        (rate(age=-60), None),
    ],
)
def test_a_rate_within_all_bounds_is_believed(told: Rate, last: str | None) -> None:
    assert belief(last).doubt(told) is None


@pytest.mark.parametrize(
    ("told", "last", "why"),
    [
        (rate("0"), None, "not a positive rate"),
        (rate("0.00"), "190", "not a positive rate"),
        (rate(age=300.001), None, "too old"),
        (rate(age=-60.001), None, "from the future"),
        (rate("209.01"), "190", "too far from the last good rate"),
        (rate("170.99"), "190", "too far from the last good rate"),
        (rate(base="JPY", quote="GBP"), None, "another pair than was asked for"),
        (rate(quote="EUR"), None, "another pair than was asked for"),
    ],
)
def test_a_rate_beyond_a_bound_is_not(told: Rate, last: str | None, why: str) -> None:
    assert belief(last).doubt(told) == why


@pytest.mark.parametrize(
    "text",
    ['"-1.25"', '"NaN"', '"Infinity"', '"1e3"', '"1,25"', '""', '".5"', '"01"', "1.25", "null"],
)
def test_what_is_no_decimal_string_is_no_rate(text: str) -> None:
    reply = f'{{"base": "GBP", "quote": "JPY", "rate": {text}, "as_of": "2026-01-05T09:30:00Z"}}'
    with pytest.raises(ValueError, match="rate"):
        Rate.told(reply.encode())


@pytest.mark.parametrize("as_of", ["2026-01-05T09:30:00", "today", ""])
def test_a_time_that_says_no_moment_is_none(as_of: str) -> None:
    reply = f'{{"base": "GBP", "quote": "JPY", "rate": "190", "as_of": "{as_of}"}}'
    with pytest.raises(ValueError, match="as_of"):
        Rate.told(reply.encode())


@given(st.integers(1, MAX_AMOUNT), currencies, currencies, rates, st.integers(0, 10_000))
def test_what_is_bought_is_the_rest_at_the_rate_rounded_down(
    amount: int, base: str, quote: str, value: Decimal, fee_bps: int
) -> None:
    exact = Context(prec=100)
    rest = Decimal(amount - fee_of(amount, fee_bps)).scaleb(-EXPONENTS[base])
    bought = exact.multiply(rest, value).scaleb(EXPONENTS[quote], exact)
    whole = int(bought.to_integral_value(ROUND_DOWN, exact))
    if 1 <= whole <= MAX_AMOUNT:
        assert price(amount, base, quote, value, fee_bps).buy == whole
    else:
        with pytest.raises(Problem, match="amount_too"):
            price(amount, base, quote, value, fee_bps)


@pytest.mark.parametrize(
    ("amount", "base", "quote", "value", "fee", "buy"),
    [
        (10_000, "GBP", "JPY", "191.25", 50, 19_029),  # 99.50 x 191.25 = 19029.375
        (10_000, "JPY", "GBP", "0.0052", 50, 5_174),  # 9950 x 0.0052 = 51.74
        (1_000, "GBP", "KWD", "0.4", 5, 3_980),  # 9.95 x 0.4 = 3.980
        (1, "GBP", "KWD", "0.4", 0, 4),  # 0.01 x 0.4 = 0.004
    ],
)
def test_prices_in_currencies_of_other_digits(
    amount: int, base: str, quote: str, value: str, fee: int, buy: int
) -> None:
    priced = price(amount, base, quote, Decimal(value), 50)
    assert (priced.fee, priced.buy) == (fee, buy)
