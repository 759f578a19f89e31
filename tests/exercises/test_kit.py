"""A kit is whole, gives nothing away, and is the same whoever makes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from exercises.bank import load_bank
from exercises.exercise import Exercise, load_exercise
from exercises.kit import (
    KIT_FILES,
    REQUEST,
    Kit,
    KitError,
    beside_the_service,
    kit_tree,
    read_kit,
    write_kit,
)
from exercises.tree import read_tree
from tests.exercises.kinds import REPAIRS, REVIEWS

CANARY = "assay-canary-for-the-tests"


@pytest.fixture
def exercise(bank_folder: Path, exercises_folder: Path) -> Exercise:
    return load_exercise("small", load_bank(bank_folder), exercises_folder)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_kit_is_a_clean_repository_of_one_commit(exercise: Exercise, tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    write_kit(exercise, folder, version="1.2.3", canary=CANARY)
    assert set(read_tree(folder)) == {
        *("app.py", "assay.toml", "BRIEF.md", "CONTRACT.md", "openapi.yaml"),
        *("kit.toml", ".gitignore"),
    }
    assert git(folder, "rev-list", "--count", "--all") == "1"
    assert git(folder, "status", "--porcelain") == ""
    assert read_kit(read_tree(folder)) == Kit(
        exercise="small", seed=0, assay="1.2.3", canary=CANARY
    )


def test_a_kit_says_which_it_is(exercise: Exercise) -> None:
    tree = kit_tree(exercise, "1", CANARY)
    assert tree["BRIEF.md"].decode() == (
        "# Mend it\n\n---\n\nOthers are to work on this too: please publish neither the brief nor"
        f" the service. {CANARY}\n"
    )
    kit = read_kit(tree)
    assert kit is not None
    assert kit.canary == CANARY


def test_two_kits_are_one_commit(
    exercise: Exercise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kit(exercise, tmp_path / "one", version="1", canary=CANARY)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    write_kit(exercise, tmp_path / "other", version="1", canary=CANARY)
    monkeypatch.undo()
    one, other = (git(tmp_path / name, "rev-parse", "HEAD") for name in ("one", "other"))
    assert one == other
    assert not (tmp_path / "elsewhere").exists()


def test_a_kit_holds_no_answer(exercise: Exercise, tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    write_kit(exercise, folder, version="1", canary=CANARY)
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for answer in (b"line 2\n", b"line 6\n", b"reference", b"guard is gone"):
        assert answer not in everything, answer


def test_git_leaves_aside_what_a_hand_in_leaves_aside(exercise: Exercise, tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    write_kit(exercise, folder, version="1", canary=CANARY)
    for left in (".venv/pyvenv.cfg", "pkg/__pycache__/app.pyc", ".pytest_cache/x", "assay-out/x"):
        (folder / left).parent.mkdir(parents=True)
        (folder / left).write_text("leaving")
    assert git(folder, "status", "--porcelain") == ""
    (folder / "NOTES.md").write_text("What I left, and why.\n")
    assert git(folder, "status", "--porcelain") == "?? NOTES.md"


def test_a_kit_is_its_starter_and_the_kit_files(exercise: Exercise) -> None:
    tree = kit_tree(exercise, "1", CANARY)
    assert set(tree) >= KIT_FILES - {REQUEST}
    assert {path: tree[path] for path in tree if path not in KIT_FILES} == exercise.starter()


def test_a_review_is_a_branch_from_the_sound_service(
    bank_folder: Path, review_folder: Path, tmp_path: Path
) -> None:
    exercise = load_exercise("judged", load_bank(bank_folder), review_folder)
    folder = tmp_path / "kit"
    write_kit(exercise, folder, version="1", canary=CANARY)
    assert git(folder, "branch", "--show-current") == "change"
    assert git(folder, "log", "--format=%s", "change").splitlines() == [
        "Lines, made shorter",
        "The payment service",
    ]
    assert git(folder, "status", "--porcelain") == ""
    changed = git(folder, "diff", "--name-only", "main", "change").splitlines()
    assert changed == ["app.py", "more.py"]
    diff = git(folder, "diff", "main", "change")
    assert "+first-flaw inject seed" in diff
    assert "+MORE = 1" in diff
    assert git(folder, "show", "main:app.py") == "\n".join(f"line {n}" for n in range(1, 9))
    assert "# Lines, made shorter" in (folder / REQUEST).read_text()
    assert git(folder, "show", f"main:{REQUEST}") == git(folder, "show", f"change:{REQUEST}")


@pytest.mark.parametrize("name", [*REPAIRS, *REVIEWS])
def test_what_a_real_kit_says_of_itself_is_true(name: str) -> None:
    exercise = load_exercise(name, load_bank())
    tree = kit_tree(exercise, "1", CANARY)
    kits = beside_the_service(exercise)
    assert {path: tree[path] for path in tree if path not in kits} == exercise.starter()
    added = {path for change in exercise.harmless for path in change.patch().paths}
    tests = [path for path in tree if path.startswith("tests/") and path not in added]
    assert tests == ["tests/conftest.py"]
    assert "testkit/psp.py" in tree
    assert not [path for path in tree if path.startswith(("testkit/model/", "testkit/edges/"))]
    assert "`tests/conftest.py` and `testkit/`" in exercise.brief
    headings = [line for line in tree["README.md"].decode().splitlines() if line.startswith("#")]
    assert headings == ["# Payments", "## Run it", "## Test it", "## Find your way"]


@pytest.mark.parametrize("name", REPAIRS)
def test_a_repair_comes_without_tests(name: str) -> None:
    brief = load_exercise(name, load_bank()).brief
    assert "There are no tests yet; `tests/conftest.py` and `testkit/`" in brief


def test_what_the_brief_comes_with_is_in_the_kit(bank_folder: Path, exercises_folder: Path) -> None:
    logs = exercises_folder / "small" / "incident" / "logs"
    logs.mkdir(parents=True)
    (logs / "web.log").write_text("{}\n")
    exercise = load_exercise("small", load_bank(bank_folder), exercises_folder)
    assert kit_tree(exercise, "1", CANARY)["incident/logs/web.log"] == b"{}\n"
    assert "incident/logs/web.log" not in exercise.starter()
    assert "incident/logs/web.log" in beside_the_service(exercise)


def test_a_folder_in_use_is_left_alone(exercise: Exercise, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(KitError, match="is not empty: name a new or an empty folder"):
        write_kit(exercise, taken, version="1", canary=CANARY)
    assert [path.name for path in taken.iterdir()] == ["mine.txt"]
    with pytest.raises(KitError, match="is a file"):
        write_kit(exercise, taken / "mine.txt", version="1", canary=CANARY)
    (tmp_path / "empty").mkdir()
    write_kit(exercise, tmp_path / "empty", version="1", canary=CANARY)


@pytest.mark.parametrize("text", [b"\xff", b"exercise = [", b"exercise = 3\n", b"seed = 1\n"])
def test_a_manifest_that_cannot_be_read_is_none(text: bytes) -> None:
    assert read_kit({"kit.toml": text}) is None
