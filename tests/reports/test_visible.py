"""Nothing hides in text that is shown, and it has an end."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.visible import body, visible


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[2J", "⟨U+001B⟩[2J"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\ud800", "⟨U+D800⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("a\r\nb\rc", "a\nb⟨U+000D⟩c"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("Zoë, 東京, ☕", "Zoë, 東京, ☕"),
    ],
)
def test_what_hides_is_shown_by_its_number(hidden: str, shown: str) -> None:
    assert visible(hidden) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_no_control_format_or_surrogate_is_left(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    left = {unicodedata.category(one) for one in shown.replace("\n", "").replace("\t", "")}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u200b\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2069\ufeff")


def test_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 25, 20) == "x" * 20 + "\n… 5 more characters are not shown"


def test_json_is_indented_and_nonsense_left_alone() -> None:
    assert body('{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
    assert body("{broken") == "{broken"
    assert body("[" * 3_000) == "[" * 3_000
    assert body('{"n": ' + "9" * 5_000 + "}").startswith('{"n": 999')
