"""The real reviews: pull requests that can be believed, in every form."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from exercises.bank import load_bank
from exercises.exercise import load_exercise
from exercises.harmless import harmless_ids, load_harmless
from exercises.patches import Patch
from exercises.tree import compose, reference_tree
from tests.exercises.kinds import REVIEWS

BANK = load_bank()
BASE = reference_tree()

#: Forms that are looked at, and lines of a change that one can read in the time that there is.
SEEDS = range(10)
FEWEST, MOST = 300, 700


def changed_lines(patches: list[Patch]) -> int:
    """Lines that patches take away, and lines that they add."""
    hunks = [hunk for patch in patches for change in patch.changes for hunk in change.hunks]
    tags = Counter(tag for hunk in hunks for tag, _ in hunk.lines)
    return tags[b"-"] + tags[b"+"]


def patches_of(name: str, seed: int) -> list[Patch]:
    exercise = load_exercise(name, BANK, seed=seed)
    flawed = [one.patch() for one in exercise.flaws.values()]
    return [*flawed, *(one.patch() for one in exercise.harmless)]


@pytest.mark.parametrize("name", REVIEWS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_author_says_names_no_answer(name: str, seed: int) -> None:
    exercise = load_exercise(name, BANK, seed=seed)
    first, blank, *_ = exercise.request.splitlines()
    assert re.fullmatch(r"# .{10,70}", first)
    assert blank == ""
    said = exercise.request + exercise.brief
    assert "{" not in said
    assert not [id_ for id_ in (*BANK.flaws, *harmless_ids()) if id_ in said]
    titles = {BANK.flaw(id_).title for id_ in exercise.flaws}
    assert not [title for title in titles if title.casefold() in said.casefold()]


@pytest.mark.parametrize("name", REVIEWS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_pull_request_can_be_read_and_put_together(name: str, seed: int) -> None:
    patches = patches_of(name, seed)
    assert FEWEST <= changed_lines(patches) <= MOST
    head = compose(BASE, patches)
    migrations = [path for path in head if path.startswith("migrations/versions/")]
    assert all(head[path] == BASE[path] for path in migrations if path in BASE)
    assert len([path for path in migrations if path not in BASE]) <= 1


@pytest.mark.parametrize("name", REVIEWS)
def test_its_flaws_are_of_different_weight_and_most_of_it_is_harmless(name: str) -> None:
    exercise = load_exercise(name, BANK)
    assert 3 <= len(exercise.flaws) <= 5
    assert len({BANK.flaw(id_).severity for id_ in exercise.flaws}) >= 3
    flawed = changed_lines([one.patch() for one in exercise.flaws.values()])
    assert flawed < changed_lines([one.patch() for one in exercise.harmless])


@pytest.mark.parametrize("name", REVIEWS)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_flaw_has_a_place_and_a_kind_in_every_form(name: str, seed: int) -> None:
    for flaw in load_exercise(name, BANK, seed=seed).planted(BANK):
        assert flaw.categories
        assert {"new"} <= {hunk.side for hunk in flaw.hunks}


def test_every_harmless_change_is_in_one_review() -> None:
    used = Counter(one.id for name in REVIEWS for one in load_exercise(name, BANK).harmless)
    assert set(used) == set(harmless_ids())
    assert set(used.values()) == {1}


@pytest.mark.parametrize("name", harmless_ids())
def test_a_harmless_change_stands_alone_and_says_what_one_may_think(name: str) -> None:
    change = load_harmless(name)
    head = compose(BASE, [change.patch()])
    assert head != BASE
    assert change.title[0].isupper()
    assert change.about.endswith(".")
