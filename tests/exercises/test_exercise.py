"""Exercises choose flaws that can stand together."""

from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import pytest

from exercises.bank import BankError, load_bank
from exercises.exercise import UnknownExerciseError, load_exercise
from exercises.tree import compose, reference_tree
from tests.exercises.kinds import REPAIRS


def test_a_starter_is_the_reference_with_its_flaws(
    bank_folder: Path, exercises_folder: Path
) -> None:
    bank = load_bank(bank_folder)
    exercise = load_exercise("small", bank, exercises_folder)
    lines = exercise.starter()["app.py"].decode().splitlines()
    assert lines[1] == "first-flaw inject seed"
    assert lines[5] == "second-flaw inject seed"
    assert set(exercise.starter()) == {"app.py", "assay.toml"}
    chosen = {"first-flaw": bank.flaw("first-flaw").fixes["two"], "second-flaw": None}
    lines = exercise.tree(chosen)["app.py"].decode().splitlines()
    assert (lines[1], lines[5]) == ("first-flaw fixes two", "line 6")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"second-flaw"]', '"third-flaw"]', "no flaw 'third-flaw'"),
        ('"second-flaw"]', '"first-flaw"]', "a flaw twice"),
        ("minutes = 10", "minutes = 1", "minutes: "),
        ('id = "small"', 'id = "large"', "its folder is 'small'"),
        ('"second-flaw"]', '"second-flaw"]\n[inject]\nfirst-flaw = "x"', "no seeded form 'x'"),
        ('"second-flaw"]', '"second-flaw"]\n[inject]\nother = "x"', "not among its flaws"),
    ],
)
def test_a_mistake_is_named(
    bank_folder: Path, exercises_folder: Path, old: str, new: str, reason: str
) -> None:
    manifest = exercises_folder / "small" / "exercise.toml"
    manifest.write_text(manifest.read_text().replace(old, new))
    with pytest.raises(BankError, match=rf"small/exercise\.toml: .*{reason}"):
        load_exercise("small", load_bank(bank_folder), exercises_folder)


def test_flaws_that_exclude_each_other_do_not_meet(
    bank_folder: Path, exercises_folder: Path
) -> None:
    manifest = bank_folder / "first-flaw" / "flaw.toml"
    text = manifest.read_text().replace("exclusive = []", 'exclusive = ["second-flaw"]')
    manifest.write_text(text)
    with pytest.raises(BankError, match="first-flaw and second-flaw cannot stand in one tree"):
        load_exercise("small", load_bank(bank_folder), exercises_folder)


def test_an_unknown_exercise_is_told_what_there_is(
    bank_folder: Path, exercises_folder: Path
) -> None:
    with pytest.raises(UnknownExerciseError, match=r"no exercise 'big'; there are: small\."):
        load_exercise("big", load_bank(bank_folder), exercises_folder)


@pytest.mark.parametrize("name", sorted({*REPAIRS} - {"due-diligence"}))
def test_any_two_variants_of_a_repair_compose(name: str) -> None:
    """Of all but the one that is as large as the bank: its seeded forms compose, as a whole."""
    bank = load_bank()
    exercise = load_exercise(name, bank)
    reference = reference_tree(exercise.track)
    patches = {id_: [one.patch() for one in bank.flaw(id_).variants] for id_ in exercise.flaws}
    for flaw, other in combinations(patches, 2):
        for one in patches[flaw]:
            for two in patches[other]:
                if one.paths & two.paths:
                    touched = {
                        path: reference[path] for path in one.paths | two.paths if path in reference
                    }
                    compose(touched, [one, two])


def test_putting_a_submission_together_is_quick() -> None:
    exercise = load_exercise("full-service", load_bank())
    exercise.starter()
    began = time.perf_counter()
    exercise.starter()
    assert time.perf_counter() - began < 0.5
