"""Fresh values: the same from the same seed, and what must not meet does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checks.amounts import exponent
from checks.fresh import Fresh

seeds = st.integers(0, 10**6)


@given(seeds)
def test_the_same_seed_and_check_give_the_same(seed: int) -> None:
    one, two = Fresh(seed, "a/check"), Fresh(seed, "a/check")
    assert (one.key(), one.card(), one.payee()) == (two.key(), two.card(), two.payee())


@given(seeds, seeds)
def test_a_pair_that_is_told_falsely_is_nobody_elses(seed: int, other: int) -> None:
    scripted = Fresh(seed, "contract/one").scripted_pair()
    assert scripted[0] != scripted[1]
    assert not {*scripted} & {*Fresh(other, "contract/another").pair()}


@given(seeds, st.sampled_from([0, 2, 3]))
def test_a_currency_has_the_digits_that_are_asked_for(seed: int, digits: int) -> None:
    fresh = Fresh(seed, "a/check")
    assert exponent(fresh.currency(digits)) == digits
    first, second = fresh.pair()
    assert first != second
    assert {exponent(first), exponent(second)} == {2}


@given(seeds)
def test_a_bank_account_is_as_the_contract_says(seed: int) -> None:
    account = Fresh(seed, "a/check").payee().bank_account
    assert 4 <= len(account) <= 34
    assert account.isascii()
    assert account.isalnum()
    assert account == account.upper()


@given(seeds, st.integers(13, 19))
def test_a_cards_number_has_its_length_and_passes_the_luhn_check(seed: int, length: int) -> None:
    number = Fresh(seed, "a/check").card_number(length)
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    assert len(number) == length
    assert (sum(digits[::2]) + sum(doubled)) % 10 == 0
