"""A canary tells its kit to whoever has the key, and nothing to anybody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exercises.canary import KEY_BYTES, Handed, canaries, opened, sealed

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
HANDED = st.builds(
    Handed,
    exercise=st.text(max_size=40),
    seed=st.integers(min_value=0, max_value=2**62),
    to=st.text(max_size=60),
)


@given(HANDED, KEYS, KEYS)
def test_only_its_key_opens_it(handed: Handed, key: bytes, other: bytes) -> None:
    canary = sealed(handed, key)
    assert opened(canary, key) == handed
    assert key == other or opened(canary, other) is None


@given(HANDED, KEYS)
def test_the_same_kit_has_the_same_canary(handed: Handed, key: bytes) -> None:
    assert sealed(handed, key) == sealed(handed, key)


@given(HANDED, KEYS, st.text(max_size=50), st.text(max_size=50))
def test_it_is_found_wherever_it_stands(
    handed: Handed, key: bytes, before: str, after: str
) -> None:
    canary = sealed(handed, key)
    assert canary in canaries(f"{before} {canary}. {after}, and once more: {canary}")


@given(HANDED, KEYS, st.data())
def test_one_that_was_changed_does_not_open(
    handed: Handed, key: bytes, data: st.DataObject
) -> None:
    canary = sealed(handed, key)
    # The last letter may hold bits that mean nothing.
    place = data.draw(st.integers(canary.rindex("-") + 1, len(canary) - 2))
    letter = data.draw(st.sampled_from("abcxyz234567").filter(lambda one: one != canary[place]))
    assert opened(canary[:place] + letter + canary[place + 1 :], key) is None


@given(st.text(max_size=200), KEYS)
def test_what_is_none_does_not_open(text: str, key: bytes) -> None:
    assert opened(text, key) is None
