"""Bounds of what was seen seldom."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bounds import upper_bound


def test_of_what_was_never_seen_the_bound_is_about_three_by_the_number_of_runs() -> None:
    assert upper_bound(0, 10) == pytest.approx(1 - 0.05 ** (1 / 10))
    assert upper_bound(0, 300) == pytest.approx(3 / 300, rel=0.01)


@given(st.integers(1, 200).flatmap(lambda runs: st.tuples(st.integers(0, runs - 1), st.just(runs))))
def test_at_the_bound_so_few_are_seen_once_in_twenty_times(case: tuple[int, int]) -> None:
    seen, runs = case
    share = upper_bound(seen, runs)
    few = sum(comb(runs, n) * share**n * (1 - share) ** (runs - n) for n in range(seen + 1))
    assert few == pytest.approx(0.05, abs=1e-6)
    assert seen / runs < share < 1


@given(st.integers(1, 200), st.integers(0, 200))
def test_the_bound_falls_with_more_runs_and_rises_with_more_seen(runs: int, seen: int) -> None:
    seen = min(seen, runs - 1)
    assert upper_bound(seen, runs + 1) < upper_bound(seen, runs) <= upper_bound(seen + 1, runs)


def test_of_no_runs_nothing_can_be_said() -> None:
    assert upper_bound(0, 0) == upper_bound(7, 7) == 1.0
    with pytest.raises(ValueError, match="8 of 7 runs"):
        upper_bound(8, 7)
