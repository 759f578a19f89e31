"""Hints: of each seeded form of the whole bank, and where a difference says that it stands."""

from __future__ import annotations

import pytest

from exercises.bank import Variant, load_bank
from exercises.hints import hints, places
from exercises.tree import Tree, compose, reference_tree

BANK = load_bank()
FORMS = [variant for flaw in BANK.flaws.values() for variant in flaw.inject.values()]

MENDED = '''"""Doc."""

import os


class Till:
    """A till."""

    @property
    def total(self) -> int:
        """What is in it."""
        return self.coins + self.notes

    def take(self, amount: int) -> None:
        """Put it in."""
        if amount <= 0:
            raise ValueError(amount)
        self.coins += amount
'''


def one_file(text: str, path: str = "till.py") -> Tree:
    return {path: text.encode()}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.flaw}-{form.name}")
def test_every_seeded_form_has_its_hints_down_to_the_line(form: Variant) -> None:
    flaw, mended = BANK.flaw(form.flaw), reference_tree()
    flawed = compose(mended, [form.patch()])
    found = places(flawed, mended)
    assert found
    nudge, direction, where, lines = hints(flaw, flawed, mended)
    assert len(nudge.split()) < len(direction.split()) * 2
    assert len({nudge, direction, where, lines}) == 4
    for place in found:
        assert place.path in form.patch().paths
        assert place.title in where
        assert place.excerpt() in lines
    said = f"{nudge} {direction}"
    assert not any(place.path in said for place in found)


@pytest.mark.parametrize(
    ("old", "new", "within", "marked"),
    [
        ("self.coins + self.notes", "self.coins", "Till.total", "return self.coins"),
        ("    @property\n", "", "Till.total", "something is missing here"),
        (
            "        if amount <= 0:\n            raise ValueError(amount)\n",
            "",
            "Till.take",
            "something is missing here",
        ),
        ("        self.coins += amount\n", "", "Till.take", "something is missing here"),
        ("class Till:", "class Box:", "Box", "class Box:"),
        ("import os\n", "import os\n\nLIMIT = 3\n", "", "LIMIT = 3"),
    ],
)
def test_a_place_is_named_by_its_function_and_its_line(
    old: str, new: str, within: str, marked: str
) -> None:
    (place,) = places(one_file(MENDED.replace(old, new)), one_file(MENDED))
    assert (place.within.name if place.within else "") == within
    (line,) = [line for line in place.excerpt().splitlines() if " > " in line]
    assert line.endswith(marked)


def test_imports_documentation_and_blank_lines_are_no_places() -> None:
    other = MENDED.replace("import os", "import sys").replace("Put it in.", "Takes it.")
    assert places(one_file(other.replace("\n\n\nclass", "\n\nclass")), one_file(MENDED)) == ()


def test_a_file_that_is_no_python_has_lines_and_no_functions() -> None:
    flawed, mended = one_file("a: 1\nb: 2\n", "it.yaml"), one_file("a: 1\nb: 3\n", "it.yaml")
    (place,) = places(flawed, mended)
    assert (place.title, place.first, place.last) == ("it.yaml", 2, 2)


def test_a_file_that_is_gone_or_too_much_is_a_place() -> None:
    both = {**one_file(MENDED), **one_file("x = 1\n", "more.py")}
    (gone,) = places(one_file(MENDED), both)
    assert (gone.title, gone.excerpt()) == ("more.py", "    > something is missing here")
    (more,) = places(both, one_file(MENDED))
    assert more.excerpt() == "    1 > x = 1"
