"""Section 15 of the contract: signatures of notices."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.kit.problems import Problem
from payments.webhooks.signatures import verify

NOW = 1_800_000_000


def sign(secret: str, at: int, body: bytes) -> str:
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


@given(st.text(min_size=1), st.integers(-300, 300), st.binary())
def test_what_is_signed_just_now_is_taken(secret: str, age: int, body: bytes) -> None:
    secret = secret.encode(errors="ignore").decode() or "secret"
    verify(secret, sign(secret, NOW - age, body), body, NOW, 300)


@given(st.binary(), st.binary())
def test_another_body_is_refused(body: bytes, other: bytes) -> None:
    if body != other:
        with pytest.raises(Problem):
            verify("secret", sign("secret", NOW, body), other, NOW, 300)


def test_one_of_several_macs_has_to_be_right() -> None:
    right = sign("secret", NOW, b"{}")
    verify("secret", f"{right},v1={'0' * 64}, v2=x", b"{}", NOW, 300)
    verify("secret", f"v1={'0' * 64},{right}", b"{}", NOW, 300)


def test_digits_may_be_in_upper_case() -> None:
    at, _, mac = sign("secret", NOW, b"{}").partition(",v1=")
    verify("secret", f"{at},v1={mac.upper()}", b"{}", NOW, 300)


@pytest.mark.parametrize("age", [-301, 301, 10_000])
def test_what_is_old_or_not_yet_is_refused(age: int) -> None:
    with pytest.raises(Problem):
        verify("secret", sign("secret", NOW - age, b"{}"), b"{}", NOW, 300)


@pytest.mark.parametrize(
    "header",
    [None, "", "t=1", "v1=00", sign("secret", NOW, b"{}")[:-1], f"t={NOW}," + "x" * 70],
)
def test_what_is_malformed_is_refused(header: str | None) -> None:
    with pytest.raises(Problem):
        verify("secret", header, b"{}", NOW, 300)


def test_two_times_are_refused() -> None:
    with pytest.raises(Problem):
        verify("secret", f"t={NOW - 1000},{sign('secret', NOW, b'{}')}", b"{}", NOW, 300)


def test_without_a_secret_nothing_is_taken() -> None:
    with pytest.raises(Problem):
        verify("", sign("", NOW, b"{}"), b"{}", NOW, 300)
