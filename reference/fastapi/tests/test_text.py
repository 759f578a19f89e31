"""Rules 1.11 and 6.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.kit.text import holds_card_number


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "card 4111 1111 1111 1111!",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "x4242424242424242y",
        "4222222222222",
    ],
)
def test_card_numbers_are_seen(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    ["4111111111111112", "order 12345", "411111111111", "550e8400-e29b-41d4-a716-446655440000", ""],
)
def test_other_numbers_are_let_through(text: str) -> None:
    assert not holds_card_number(text)


@given(st.text(st.sampled_from("0123456789"), min_size=12, max_size=18))
def test_of_ten_check_digits_one_makes_a_card_number(digits: str) -> None:
    found = [last for last in "0123456789" if holds_card_number(digits + last)]
    assert len(found) == 1
