"""Patches follow the reference where git can tell how, and are named where it cannot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from exercises import carry, places
from exercises.bank import load_bank
from exercises.carry import Outcome, carry_over, patched_in, reference_at
from exercises.patches import PatchError
from exercises.tree import Tree, compose
from tests.exercises.conftest import patch_text, write_flaw

OLD = {"app.py": b"".join(b"line %d\n" % number for number in range(1, 30)), "b.py": b"b\n"}


def changed(**lines: str) -> Tree:
    """The reference with lines replaced, by number: ``_7="text"``."""
    new = OLD["app.py"].decode()
    for name, text in lines.items():
        new = new.replace(f"line {name[1:]}\n", text)
    return {**OLD, "app.py": new.encode()}


def outcomes(folder: Path, new: Tree, old: Tree = OLD) -> dict[str, Outcome]:
    bank = load_bank(folder)
    found = {str(one.path): it.outcome for one, it in carry_over(patched_in(bank), old, new)}
    assert set(found) == {str(path) for path in folder.parent.rglob("*.patch")}
    return found


@pytest.fixture
def flaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One flaw, whose variants all change line 9, as does a harmless change."""
    monkeypatch.setattr(places, "HARMLESS", tmp_path / "harmless")
    harmless = places.HARMLESS / "other-words"
    harmless.mkdir(parents=True)
    (harmless / "change.toml").write_text('title = "Other words"\nabout = "Nobody minds."\n')
    (harmless / "fastapi.patch").write_text(patch_text(9, "in other words"))
    return write_flaw(tmp_path / "flaws", "a-flaw", 9)


def patched(flaw: Path, tree: Tree) -> bytes:
    """What the flaw's seeded form makes of the file."""
    (seeded,) = load_bank(flaw.parent).flaws["a-flaw"].inject.values()
    return compose(tree, [seeded.patch()])["app.py"]


def test_what_fits_is_left_alone(flaw: Path) -> None:
    before = {path: path.read_bytes() for path in flaw.rglob("*.patch")}
    assert set(outcomes(flaw.parent, {**OLD, "c.py": b"new\n"}).values()) == {"fits"}
    assert {path: path.read_bytes() for path in before} == before


def test_a_patch_follows_its_lines(flaw: Path) -> None:
    new = changed(_2="two\nlines\n")
    with pytest.raises(PatchError):
        patched(flaw, new)
    assert set(outcomes(flaw.parent, new).values()) == {"merged"}
    assert patched(flaw, new) == new["app.py"].replace(b"line 9\n", b"a-flaw inject seed\n")
    # Written by git, they have its context now; from then on only their places change.
    newer = {**new, "app.py": b"first\n" + new["app.py"]}
    assert set(outcomes(flaw.parent, newer, new).values()) == {"moved"}


def test_a_conflict_is_named_and_nothing_written(flaw: Path) -> None:
    before = {path: path.read_bytes() for path in flaw.rglob("*.patch")}
    bank = load_bank(flaw.parent)
    for _, one in carry_over(patched_in(bank), OLD, changed(_9="another\n")):
        assert one.outcome == "conflict"
        assert b"app.py" in one.text
    assert {path: path.read_bytes() for path in before} == before


def test_a_patch_that_fitted_nothing_is_named(flaw: Path) -> None:
    new = changed(_9="another\n")
    assert set(outcomes(flaw.parent, new, new).values()) == {"astray"}


def test_the_reference_at_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = tmp_path / "reference" / "fastapi"
    service.mkdir(parents=True)
    (service / "app.py").write_bytes(OLD["app.py"])
    monkeypatch.setattr(places, "ROOT", tmp_path)
    monkeypatch.setattr(places, "REFERENCE", tmp_path / "reference")
    own = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    for command in (["init", "-q"], ["add", "."], [*own, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (service / "app.py").write_text("later")
    assert reference_at("HEAD") == {"app.py": OLD["app.py"]}
    with pytest.raises(PatchError, match="no reference/fastapi at nowhere"):
        reference_at("nowhere")


def test_the_program_says_what_is_left(
    flaw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(places, "ROOT", flaw.parents[1])
    monkeypatch.setattr(carry, "load_bank", lambda: load_bank(flaw.parent))
    monkeypatch.setattr(carry, "reference_at", lambda _: OLD)
    monkeypatch.setattr("sys.argv", ["carry", "HEAD"])
    for new, status, said in (
        (changed(_2="2\n3\n"), 0, "merged"),
        (changed(_9="9\n"), 1, "astray"),
    ):
        monkeypatch.setattr(carry, "read_tree", lambda _, new=new: new)
        assert carry.main() == status
        printed = capsys.readouterr().out
        for path in ("flaws/a-flaw/fastapi/inject/seed", "harmless/other-words/fastapi"):
            assert f"{said:8} {path}.patch" in printed
