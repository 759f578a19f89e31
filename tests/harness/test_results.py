"""What may lie where a result goes, and what is removed there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from checks.evidence import Evidence, Verdict
from exercises.tree import write_tree
from harness import demo
from harness.errors import UsageError
from harness.grade import Grading
from harness.outcome import write_result
from harness.results import claim, claim_beside, claim_calibration, claim_each, discard
from harness.score import score
from harness.submission import digest
from scoring.role import load_role
from scoring.scorecard import score as read_against
from tests.scoring.evidence_samples import build, flow_verdict

REPORTS = {"scorecard.json", "report.html", "report.md"}


def evidence(name: str = "it", tree: Mapping[str, bytes] | None = None) -> Evidence:
    made = build(name, [flow_verdict("contract/one", "", Verdict.SECURE)])
    facts = made.submission.model_copy(update={"digest": digest(dict(tree or {}))})
    return made.model_copy(update={"submission": facts})


def result(out: Path, *roles: str) -> Path:
    made = evidence()
    write_result(made, [read_against(made, load_role(role)) for role in roles], out)
    return out


def files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}


def test_a_new_and_an_empty_folder_are_used(tmp_path: Path) -> None:
    assert claim(tmp_path) == frozenset()
    assert claim(tmp_path / "some" / "where") == frozenset()
    assert (tmp_path / "some" / "where").is_dir()


def test_an_earlier_result_is_used_and_what_is_stale_of_it_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for out in (tmp_path / "absolute", Path("relative"), Path()):
        earlier = claim(result(out, "somnio", "techflow"))
        assert {str(path.relative_to(out)) for path in earlier} == files(out)
        (out / ".evidence.json.part").touch()
        earlier = claim(out)
        written = write_result(evidence("other"), [], out)
        discard(earlier - written, out)
        assert [path.name for path in out.iterdir()] == ["evidence.json"]
        assert '"other"' in (out / "evidence.json").read_text()
        (out / "evidence.json").unlink()
        if out != Path():
            out.rmdir()


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("notes.txt", "mine", "notes.txt"),
        ("somnio/notes.txt", "mine", "somnio/notes.txt"),
        ("site/report.html", "mine", "site"),
        ("site/scorecard.json", "not JSON", "site"),
        ("site/scorecard.json", '{"role": "somnio"}', "site"),
        ("submission/app.py", "mine", "submission/app.py"),
        (".git/config", "mine", ".git/config"),
    ],
)
def test_anything_else_is_refused_and_left(
    tmp_path: Path, path: str, text: str, named: str
) -> None:
    out = result(tmp_path / "out", "somnio")
    (out / path).parent.mkdir(exist_ok=True)
    (out / path).write_text(text)
    before = files(out)
    with pytest.raises(UsageError, match=f"out holds '{named}', which is not as assay left it: "):
        claim(out)
    assert files(out) == before


def test_evidence_that_is_none_and_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "evidence.json").write_text(json.dumps({"murder": "weapon"}))
    mine = result(tmp_path / "mine", "somnio")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "somnio").symlink_to(mine / "somnio")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "evidence.json").symlink_to(mine / "evidence.json")
    for name, held in (("a", "evidence.json"), ("b", "somnio"), ("c", "evidence.json")):
        with pytest.raises(UsageError, match=f"holds '{held}'"):
            claim(tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file cannot be made a folder"):
        claim(tmp_path / "file")


def test_reports_are_scored_into_the_evidences_folder_or_replace_reports(tmp_path: Path) -> None:
    kept = result(tmp_path / "graded", "somnio") / "evidence.json"
    assert claim_beside(kept.parent, kept) == frozenset()
    score(kept, ("techflow",), kept.parent, as_json=True)
    both = {f"{role}/{name}" for role in ("somnio", "techflow") for name in REPORTS}
    assert files(kept.parent) == both | {"evidence.json"}
    for role in ("somnio", "techflow"):
        score(kept, (role,), tmp_path / "reports", as_json=True)
        assert files(tmp_path / "reports") == {f"{role}/{name}" for name in REPORTS}


def test_a_score_replaces_no_other_grading(tmp_path: Path) -> None:
    graded = result(tmp_path / "graded", "somnio")
    other = tmp_path / "other.json"
    other.write_text(evidence("other").to_json())
    before = files(graded)
    with pytest.raises(UsageError, match="graded holds the result of another grading"):
        score(other, ("techflow",), graded, as_json=True)
    assert files(graded) == before


TREE = {"app.py": b"pass\n", "a/b.py": b"pass\n"}


def demonstrated(folder: Path) -> Path:
    """A result as ``assay demo`` leaves it, with what was graded beside."""
    made = evidence(tree=TREE)
    write_result(made, [read_against(made, load_role("somnio"))], folder)
    write_tree(TREE, folder / "submission")
    return folder


def test_a_demos_submission_is_replaced_while_it_is_as_it_was(tmp_path: Path) -> None:
    one = demonstrated(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (one / "submission" / "__pycache__").mkdir()
    earlier = claim_each(tmp_path, ("one", "two", "three"))
    assert {str(path.relative_to(one)) for path in earlier["one"]} == files(one)
    assert not earlier["two"] | earlier["three"]
    discard(earlier["one"], one)
    assert [path.name for path in one.rglob("*")] == ["submission", "__pycache__"]


@pytest.mark.parametrize("touched", ["app.py", "new.py"])
def test_a_demos_submission_that_was_worked_on_is_refused(tmp_path: Path, touched: str) -> None:
    (demonstrated(tmp_path / "one") / "submission" / touched).write_text("mine")
    with pytest.raises(UsageError, match="holds 'one/submission', which is not as assay left it"):
        claim_each(tmp_path, ("one", "two"))


def test_a_demos_folder_holds_nothing_else(tmp_path: Path) -> None:
    demonstrated(tmp_path / "one")
    with pytest.raises(UsageError, match="holds 'one'"):
        claim_each(tmp_path, ("two",))
    two = demonstrated(tmp_path / "two")
    assert claim_beside(two, two / "evidence.json") == frozenset()
    link = two / "submission" / "link"
    link.symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="holds 'two/submission'"):
        claim_each(tmp_path, ("one", "two"))
    link.unlink()
    (tmp_path / "two" / "evidence.json").unlink()
    with pytest.raises(UsageError, match="holds 'two/submission'"):
        claim_each(tmp_path, ("one", "two"))


@dataclass
class Demonstration:
    """An exercise without a service, so that a demo is only its files."""

    trees: list[dict[str, bytes]] = field(default_factory=list)

    def tree(self, _: object) -> dict[str, bytes]:
        return self.trees.pop(0)


def test_a_second_demo_leaves_nothing_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def nothing(*, trusted: bool) -> AsyncIterator[None]:
        yield

    async def evaluate(_: object, grading: Grading, __: object) -> Evidence:
        return evidence(grading.submission.name, grading.submission.tree)

    exercise = Demonstration()
    monkeypatch.setattr(demo, "load_bank", lambda: None)
    monkeypatch.setattr(demo, "agree", lambda *_: None)
    monkeypatch.setattr(demo, "load_exercise", lambda *_: exercise)
    monkeypatch.setattr(demo, "submissions", lambda *_: {"starter": {}, "repaired": {}})
    monkeypatch.setattr(demo, "Host", SimpleNamespace(open=nothing))
    monkeypatch.setattr(demo, "evaluate", evaluate)
    for roles in (("somnio", "techflow"), ("somnio",)):
        monkeypatch.setattr(demo, "ROLES", roles)
        tree = {"app.py": b"", f"of/{roles[-1]}.py": b""}
        exercise.trees = [tree, tree]
        assert demo.demo(tmp_path / "out") == 0
        held = {f"{role}/{name}" for role in roles for name in REPORTS} | {"evidence.json"}
        held |= {f"submission/{path}" for path in tree}
        assert files(tmp_path / "out") == {
            f"{name}/{path}" for name in ("starter", "repaired") for path in held
        }


def test_a_calibrations_folder_is_taken_over_and_holds_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "cells"
    claim_calibration(out)
    (out / "evidence").mkdir()
    for name in ("cells.json", "index.html", ".cells.json.part", "evidence/alone--x--y--1.json"):
        (out / name).write_text("{}")
    claim_calibration(out)
    for name in ("notes.txt", "evidence/notes.txt"):
        (out / name).write_text("mine")
        with pytest.raises(UsageError, match=f"holds '{name}'"):
            claim_calibration(out)
        (out / name).unlink()
