"""Differences are git's, of two trees that a candidate may have filled with anything."""

from __future__ import annotations

import pytest

from exercises.patches import parse_patch
from exercises.tree import compose
from harness import difference as module
from harness.difference import difference

BEFORE = {"payments/app.py": b"one\ntwo\n", "gone.py": b"x\n", "same.py": b"same\n"}
AFTER = {"payments/app.py": b"one\n2\n", "new.py": b"y\n", "same.py": b"same\n"}


async def test_a_difference_is_a_patch_of_what_changed() -> None:
    text, cut = await difference(BEFORE, AFTER)
    assert not cut
    assert "same.py" not in text
    assert compose(BEFORE, [parse_patch(text.encode(), "candidate")]) == AFTER


async def test_equal_trees_have_none() -> None:
    assert await difference(BEFORE, BEFORE) == ("", False)


async def test_what_a_tree_holds_configures_nothing() -> None:
    tree = {
        ".gitattributes": b"* diff=evil binary\n",
        ".gitconfig": b'[diff "evil"]\n\ttextconv = false\n',
        "a.py": b"x\n",
    }
    text, _ = await difference({"a.py": b"y\n"}, tree)
    assert "-y\n+x\n" in text


async def test_binary_and_huge_files_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 1000)
    text, cut = await difference({}, {"a": b"\0\xff" * 5000, "b": b"line\n" * 5000})
    assert "Binary files" in text
    assert cut
    assert len(text) == 1000
