"""What the source of every variant says that concerns the notices' way.

Each flaw's variants keep what they do not mean to change: all of them compare signatures as the
reference does, but for those that are named here.
"""

from __future__ import annotations

from functools import lru_cache

import pytest

from checks.static.flow import program
from checks.static.flow.reading import read
from checks.static.source import SourceFile, is_test
from exercises.bank import Variant, load_bank
from exercises.tree import compose, reference_tree

#: The endpoints' own files; other changes leave the comparison alone.
ON_THE_WAY = ("payments/webhooks/", "payments/app.py", "payments/dependencies.py")

#: What is otherwise than secure, beside the flaw's own.
OTHERWISE = {
    "psp-webhook-unsigned/inject/never-verified": "unknown",
    "psp-webhook-unsigned/decoys/compared-as-a-prefix": "variable",
}


def concerned() -> dict[str, Variant]:
    """The variants whose patches touch the way, by where they are."""
    variants = [one for flaw in load_bank().flaws.values() for one in flaw.variants]
    patches = [(one.patch(), one) for one in variants]
    return {
        patch.name: variant
        for patch, variant in patches
        if any(path.startswith(ON_THE_WAY) for path in patch.paths)
    }


CONCERNED = concerned()


@pytest.fixture(autouse=True)
def _parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most files are the same in every tree."""
    monkeypatch.setattr(program, "parsed", _PARSED)


_PARSED = lru_cache(maxsize=2000)(program.parsed)


@pytest.mark.parametrize("name", CONCERNED)
def test_a_variant_says_what_it_means_to(name: str) -> None:
    variant = CONCERNED[name]
    tree = compose(reference_tree(), [variant.patch()])
    files = tuple(
        SourceFile(path, content.decode())
        for path, content in sorted(tree.items())
        if path.endswith(".py") and not is_test(path)
    )
    own = variant.flaw == "hmac-timing" and variant.kind != "fix"
    assert read(files).answer == OTHERWISE.get(name, "variable" if own else "constant")


def test_what_is_named_is_there() -> None:
    assert set(OTHERWISE) <= set(CONCERNED)
    assert sum(name.startswith("hmac-timing/") for name in CONCERNED) == len(
        load_bank().flaw("hmac-timing").variants
    )
