"""Harmless changes: read strictly, and kept out of repairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exercises import places
from exercises.bank import BankError, load_bank
from exercises.exercise import load_exercise
from exercises.harmless import harmless_ids, load_harmless


def test_a_harmless_change_has_a_title_and_a_patch(review_folder: Path) -> None:
    assert review_folder.is_dir()
    assert harmless_ids() == ("more",)
    change = load_harmless("more")
    assert (change.title, change.about) == ("More", "Nobody reads it.")
    assert change.patch().paths == {"more.py"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda home: (home / "change.toml").unlink(), "more/change.toml: no such file"),
        (lambda home: (home / "fastapi.patch").unlink(), "there is no fastapi.patch beside it"),
        (lambda home: (home / "change.toml").write_text("title ="), "not TOML"),
        (lambda home: (home / "change.toml").write_text('title = "It"\n'), "title: "),
    ],
)
def test_a_mistake_is_named(
    review_folder: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(places.HARMLESS / "more")
    with pytest.raises(BankError, match=reason):
        load_exercise("judged", load_bank(_bank(review_folder)), review_folder)


def _bank(review_folder: Path) -> Path:
    return review_folder.parent / "flaws"


def test_a_repair_has_none(review_folder: Path) -> None:
    manifest = review_folder / "judged" / "exercise.toml"
    manifest.write_text(manifest.read_text().replace('"review"', '"repair"'))
    with pytest.raises(BankError, match="harmless changes are for a review"):
        load_exercise("judged", load_bank(_bank(review_folder)), review_folder)


def test_a_review_says_where_its_flaws_stand(review_folder: Path) -> None:
    bank = load_bank(_bank(review_folder))
    (flaw,) = load_exercise("judged", bank, review_folder).planted(bank)
    assert flaw.flaw == "first-flaw"
    assert flaw.categories == ("access-control",)
    assert {(one.path, one.side) for one in flaw.hunks} == {("app.py", "old"), ("app.py", "new")}
    assert all(one.first <= 2 <= one.last for one in flaw.hunks)
