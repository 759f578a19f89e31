"""Any two flaws of the bank can stand in one exercise, unless they say that they cannot."""

from __future__ import annotations

from itertools import combinations, product

from exercises.bank import Flaw, Variant, load_bank
from exercises.tree import ConflictError, compose, reference_tree


def seeded(flaw: Flaw) -> list[Variant]:
    return [variant for variant in flaw.variants if variant.kind == "inject"]


def compose_in_some_form(one: Flaw, other: Flaw) -> bool:
    base = reference_tree()
    for first, second in product(seeded(one), seeded(other)):
        try:
            compose(base, [first.patch(), second.patch()])
        except ConflictError:
            continue
        return True
    return False


def test_any_two_flaws_compose_in_some_form_or_are_exclusive() -> None:
    apart = []
    for one, other in combinations(load_bank().flaws.values(), 2):
        if other.id in one.exclusive or one.id in other.exclusive:
            continue
        if not compose_in_some_form(one, other):
            apart.append(f"{one.id} and {other.id}")
    assert not apart, "declare exclusive, or give another form: " + "; ".join(apart)
