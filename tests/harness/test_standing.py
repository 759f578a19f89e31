"""``assay grade`` of a review: what it says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exercises.bank import load_bank
from exercises.exercise import load_exercise
from harness.errors import UsageError
from harness.standing import STANDING, grade_review
from harness.submission import Submission
from tests.harness.commands import assay

EXERCISE = "faster-transfers"
DATA = Path(__file__).parents[1] / "scoring" / "reviews" / "data" / EXERCISE
BANK = load_bank()


def handed_in(review: object) -> Submission:
    data = review if isinstance(review, bytes) else json.dumps(review).encode()
    tree = {**load_exercise(EXERCISE, BANK).starter(), "review.json": data}
    return Submission("it", tree, "")


def graded(review: object, out: Path) -> dict[str, Any]:
    exercise = load_exercise(EXERCISE, BANK)
    assert grade_review(handed_in(review), exercise, BANK, out, as_json=False) == 0
    found: dict[str, Any] = json.loads((out / STANDING).read_text())
    return found


def written(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return read


def test_a_review_is_held_against_its_pull_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = graded(written("half"), tmp_path / "out")
    assert (len(found["found"]), len(found["missed"])) == (2, 2)
    assert 0 < found["recall"] < 1
    assert found["precision"]["least"] < found["precision"]["most"] == 1
    assert found["decided_rightly"] is True
    assert [one["id"] for one in found["comments"]] == [
        one["id"] for one in written("half")["comments"]
    ]
    said = capsys.readouterr().out
    assert "Found 2 of 4 flaws" in said
    assert "for a person to judge" in " ".join(said.split())
    # An earlier standing is replaced; anything else is not.
    graded(written("expert"), tmp_path / "out")
    (tmp_path / "out" / "else.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        graded(written("expert"), tmp_path / "out")


def test_a_review_without_comments_is_graded(tmp_path: Path) -> None:
    found = graded({"schema": 1, "exercise": EXERCISE}, tmp_path / "out")
    assert found["recall"] == 0
    assert found["decided_rightly"] is None


def comment(**changed: object) -> dict[str, Any]:
    one = {"id": "1", "path": "payments/transfers/service.py", "first": 1, "last": 1}
    one |= {"severity": "high", "category": "races"}
    return {"schema": 1, "exercise": EXERCISE, "comments": [one | changed]}


@pytest.mark.parametrize(
    ("review", "reason"),
    [
        (b'{"schema": 1, "exerc', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        ({"schema": 2, "exercise": EXERCISE}, "at schema"),
        ({"schema": 1, "exercise": "another"}, "is a review of 'another'"),
        (comment(category="no-such"), "has the category 'no-such'"),
        (comment(severity="awful"), r"at comments\[0\].severity"),
        (comment(path="payments/none.py"), "which is not there after the change"),
        (comment(path="../../etc/passwd"), "which is not there after the change"),
        (comment(first=9000, last=9000), "is on line 9000 of payments/transfers/service.py"),
        (comment(first=3, last=2), "ends at line 2, before it begins"),
        (comment(path="tests/test_moving_quickly.py", side="old"), "not there before the change"),
        (comment(extra=1), r"at comments\[0\].extra"),
    ],
)
def test_what_is_no_review_of_it_gets_one_sentence(
    review: object, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=reason) as raised:
        graded(review, tmp_path / "out")
    assert str(raised.value).count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_a_kit_goes_from_start_to_standing(tmp_path: Path) -> None:
    kit, out = tmp_path / "kit", tmp_path / "out"
    started = assay("start", EXERCISE, kit)
    assert started.returncode == 0, started.stderr
    missing = assay("grade", kit, "--exercise", EXERCISE, "--out", out)
    assert missing.returncode == 2
    assert "holds no review.json" in missing.stderr
    (kit / "review.json").write_text((DATA / "terse.json").read_text())
    done = assay("grade", kit, "--exercise", EXERCISE, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((out / STANDING).read_text())
    refused = assay("check", kit)
    assert refused.returncode == 2
    assert "'assay review' opens it" in refused.stderr
