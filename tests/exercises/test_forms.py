"""Forms of an exercise are alike in what they ask for, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from exercises.bank import BankError, load_bank
from exercises.exercise import exercise_ids, load_exercise
from tests.exercises.conftest import write_flaw

SEEDS = range(1, 25)


@pytest.fixture
def open_exercise(bank_folder: Path, exercises_folder: Path) -> Path:
    """The exercise ``small``, where a third flaw may stand in place of the second."""
    write_flaw(bank_folder, "third-flaw", 8)
    home = exercises_folder / "small"
    manifest = home / "exercise.toml"
    manifest.write_text(
        manifest.read_text()
        + '[instead]\nsecond-flaw = ["third-flaw"]\n[words]\nshop = ["Kettle", "Teapot"]\n'
    )
    (home / "brief.md").write_text(
        "# {{ shop }}\n{% if 'third-flaw' in flaws %}\nIt is the third.\n{% endif %}\n"
    )
    return exercises_folder


def test_form_0_is_what_the_manifest_says(bank_folder: Path, open_exercise: Path) -> None:
    exercise = load_exercise("small", load_bank(bank_folder), open_exercise)
    assert (exercise.seed, list(exercise.flaws)) == (0, ["first-flaw", "second-flaw"])
    assert exercise.brief == "# Kettle\n"


def test_a_form_is_the_same_each_time(bank_folder: Path, open_exercise: Path) -> None:
    bank = load_bank(bank_folder)
    once, again = (
        [load_exercise("small", bank, open_exercise, seed=seed) for seed in SEEDS] for _ in range(2)
    )
    assert [one.starter() for one in once] == [one.starter() for one in again]
    assert [one.brief for one in once] == [one.brief for one in again]


def test_forms_differ_in_flaws_and_words_that_agree(bank_folder: Path, open_exercise: Path) -> None:
    bank, found = load_bank(bank_folder), set()
    for seed in SEEDS:
        exercise = load_exercise("small", bank, open_exercise, seed=seed)
        third = "third-flaw" in exercise.flaws
        assert list(exercise.flaws) == ["first-flaw", "third-flaw" if third else "second-flaw"]
        assert ("It is the third." in exercise.brief) is third
        lines = exercise.starter()["app.py"].decode().splitlines()
        assert ("third-flaw inject seed" in lines, "second-flaw inject seed" in lines) == (
            third,
            not third,
        )
        found.add((third, exercise.brief.splitlines()[0]))
    assert found == {
        (third, f"# {shop}") for third in (True, False) for shop in ("Kettle", "Teapot")
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('second-flaw = ["third-flaw"]', 'other = ["third-flaw"]', "not among its flaws"),
        ('second-flaw = ["third-flaw"]', 'second-flaw = ["first-flaw"]', "a flaw twice"),
        ('second-flaw = ["third-flaw"]', 'second-flaw = ["no-flaw"]', "no flaw 'no-flaw'"),
        ('shop = ["Kettle", "Teapot"]', 'shop = ["Kettle"]', "words"),
        ('shop = ["Kettle", "Teapot"]', 'cafe = ["Kettle", "Teapot"]', "'shop' is undefined"),
    ],
)
def test_a_mistake_is_named(
    bank_folder: Path, open_exercise: Path, old: str, new: str, reason: str
) -> None:
    manifest = open_exercise / "small" / "exercise.toml"
    manifest.write_text(manifest.read_text().replace(old, new))
    with pytest.raises(BankError, match=rf"small/(exercise\.toml|brief\.md): .*{reason}"):
        load_exercise("small", load_bank(bank_folder), open_exercise, seed=1)


def test_what_never_composes_is_no_form(bank_folder: Path, open_exercise: Path) -> None:
    for flaw in ("second-flaw", "third-flaw"):
        patch = bank_folder / flaw / "fastapi" / "inject" / "seed.patch"
        patch.write_text((bank_folder / "first-flaw/fastapi/inject/seed.patch").read_text() + " ")
        patch.write_text(patch.read_text().strip().replace("first-flaw", flaw) + "\n")
    with pytest.raises(BankError, match="no form of seed 3 composes"):
        load_exercise("small", load_bank(bank_folder), open_exercise, seed=3)


@pytest.mark.parametrize("name", exercise_ids())
def test_a_real_exercise_has_equivalent_forms(name: str) -> None:
    bank, usual = load_bank(), load_exercise(name, load_bank())
    forms = [load_exercise(name, bank, seed=seed) for seed in SEEDS]
    # What was recorded is recorded of one form.
    assert (len({one.brief for one in forms}) > 1) is not bool(usual.enclosed)
    for one in forms:
        assert len(one.flaws) == len(usual.flaws)
        assert "{" not in one.brief
        assert not [flaw for flaw in bank.flaws if flaw in one.brief]
        assert set(one.starter()) >= {"assay.toml", "payments/app.py"}
