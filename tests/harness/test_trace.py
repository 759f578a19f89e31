"""Which kit a text has got out of, and in which form a submission was handed out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from exercises.canary import KEY_BYTES
from exercises.kit import read_kit
from harness.grade import Request, form_of
from harness.submission import Submission, take_in
from tests.harness.commands import assay

EXERCISE = "wallet-transfers"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit in a form of its own, handed to somebody."""
    folder = tmp_path_factory.mktemp("handed") / "kit"
    done = assay("start", EXERCISE, folder, "--seed", "7", "--to", "Ada Byron")
    assert done.returncode == 0, done.stderr
    return folder


def request(kit: Path, exercise: str = EXERCISE, form: int | None = None) -> Request:
    return Request(
        submission=kit,
        exercise=exercise,
        form=form,
        roles=(),
        out=kit / "out",
        seed=None,
        load="off",
        trusted=True,
    )


def claiming(submission: Submission, **members: object) -> Submission:
    """The submission, whose manifest says something else."""
    kit = submission.kit
    assert kit is not None
    manifest = kit.model_copy(update=members).to_toml().encode()
    return replace(submission, tree={**submission.tree, "kit.toml": manifest})


def test_a_leak_is_traced(kit: Path, tmp_path: Path) -> None:
    leak = tmp_path / "post.html"
    leak.write_text("<pre>" + (kit / "BRIEF.md").read_text().replace("\n", "<br>") + "</pre>")
    done = assay("trace", leak)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("...: wallet-transfers, form 7, handed to Ada Byron\n")


def test_only_whoever_has_sealed_it_can_tell(kit: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text("ab" * KEY_BYTES)
    done = assay("trace", kit / "BRIEF.md", ASSAY_CANARY_KEY=str(other))
    assert done.returncode == 1
    assert done.stdout.endswith("...: sealed with another key\n")


def test_a_text_without_a_canary_tells_nothing(kit: Path) -> None:
    done = assay("trace", kit / "CONTRACT.md")
    assert (done.returncode, done.stdout) == (1, "There is no canary in it.\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "There is no key of canaries at"),
        ("abc", "cannot be read as a key of canaries"),
        ("ab" * 3, "holds 3 bytes; a key of canaries has 64."),
    ],
)
def test_a_key_that_is_none_is_told(
    kit: Path, tmp_path: Path, content: str | None, reason: str
) -> None:
    key = tmp_path / "canary.key"
    if content is not None:
        key.write_text(content)
    done = assay("trace", kit / "BRIEF.md", ASSAY_CANARY_KEY=str(key))
    assert done.returncode == 2
    assert reason in done.stderr


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    key = tmp_path / "new" / "canary.key"
    done = assay("start", EXERCISE, tmp_path / "kit", ASSAY_CANARY_KEY=str(key))
    assert done.returncode == 0, done.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_text()
    assert assay("start", EXERCISE, tmp_path / "again", ASSAY_CANARY_KEY=str(key)).returncode == 0
    assert key.read_text() == before
    shutil.rmtree(tmp_path / "new")
    (tmp_path / "new").write_text("in the way")
    done = assay("start", EXERCISE, tmp_path / "third", ASSAY_CANARY_KEY=str(key))
    assert (done.returncode, "cannot be written" in done.stderr) == (2, True)


def test_the_form_that_was_handed_out_is_graded(kit: Path) -> None:
    submission = take_in(kit)
    assert form_of(request(kit), submission) == 7
    # The manifest is the candidate's to change, and the canary is not.
    assert form_of(request(kit), claiming(submission, seed=3)) == 7
    assert form_of(request(kit), claiming(submission, seed=3, canary="")) == 3
    assert form_of(request(kit, form=5), submission) == 5
    assert form_of(request(kit, "card-payments"), submission) == 0
    without = {path: data for path, data in submission.tree.items() if path != "kit.toml"}
    assert read_kit(without) is None
    assert form_of(request(kit), replace(submission, tree=without)) == 0
