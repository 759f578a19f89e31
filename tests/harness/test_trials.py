"""What calibration runs: variants alone, and as many as can stand in one tree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.catalogue import select
from exercises.bank import Bank, load_bank
from exercises.tree import compose, reference_tree
from harness.matrix import Planned, plan
from harness.trials import each_alone, in_bundles

FLAWS = ("payment-idor", "jwt-claims", "negative-amount", "capture-twice")


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load_bank(only=list(FLAWS))


@pytest.fixture
def planned(bank: Bank) -> list[Planned]:
    return plan(list(bank.flaws.values()), 2)


def test_alone_each_variant_has_a_tree_and_the_reference_one_for_all(
    planned: list[Planned],
) -> None:
    trials = each_alone(planned, "alone")
    assert sorted(str(cell.place) for one in trials for cell in one.cells) == sorted(
        str(one.place) for one in planned
    )
    reference = [one for one in trials if one.cells[0].variant is None]
    assert [len(one.cells) for one in reference] == [len(FLAWS)] * 2
    assert all(len(one.cells) == 1 for one in trials if one not in reference)


def test_alone_a_variant_is_tried_with_its_flaws_checks_and_what_they_need(
    planned: list[Planned],
) -> None:
    cell = next(one for one in planned if one.flaw.id == "jwt-claims" and one.variant)
    own = select(flaws=["jwt-claims"], contract=False)
    whole = select(flaws=["jwt-claims"])
    (alone,), (held,) = each_alone([cell], "alone"), each_alone([cell], "whole")
    assert (alone.checks, held.checks) == (own, whole)


def test_bundles_hold_every_variant_once_in_trees_that_compose(planned: list[Planned]) -> None:
    bundles = in_bundles(planned)
    places = [cell.place for one in bundles for cell in one.cells]
    wanted = [one.place for one in planned if one.variant is not None and one.repeat == 1]
    assert sorted(places) == sorted(wanted)
    most = max(len(wanted) for wanted in _by_flaw(planned).values())
    assert len(bundles) < len(wanted)
    assert len(bundles) <= 2 * most
    for bundle in bundles:
        assert len({cell.flaw.id for cell in bundle.cells}) == len(bundle.cells)
        assert len({cell.expected for cell in bundle.cells}) == 1
        patches = [cell.variant.patch() for cell in bundle.cells if cell.variant is not None]
        assert bundle.tree() == compose(reference_tree(), patches)


def test_a_bundle_is_halved_until_one_is_left(planned: list[Planned]) -> None:
    whole = max(in_bundles(planned), key=lambda one: len(one.cells))
    one, other = whole.halves()
    assert one.cells + other.cells == whole.cells
    assert one.cells
    assert other.cells
    assert {one.mode, other.mode} == {whole.mode}


def test_flaws_that_affect_one_another_share_no_bundle(bank: Bank) -> None:
    one, other = (bank.flaws[name] for name in ("jwt-claims", "capture-twice"))
    for changed in (replace(one, exclusive=(other.id,)), replace(one, also_affects=(other.id,))):
        bundles = in_bundles(plan([changed, other], 1))
        assert all(len(bundle.cells) == 1 for bundle in bundles)


def _by_flaw(planned: list[Planned]) -> dict[str, list[Planned]]:
    found: dict[str, list[Planned]] = {}
    for one in planned:
        found.setdefault(one.flaw.id, []).append(one)
    return found
