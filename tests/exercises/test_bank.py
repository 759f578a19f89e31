"""A bank with a mistake in it does not load, and says where the mistake is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exercises.bank import BankError, UnknownFlawError, load_bank

Change = Callable[[Path], None]


def replace(old: str, new: str) -> Change:
    def change(home: Path) -> None:
        text = (home / "flaw.toml").read_text()
        assert old in text
        (home / "flaw.toml").write_text(text.replace(old, new))

    return change


def lesson(old: str, new: str) -> Change:
    def change(home: Path) -> None:
        text = (home / "lesson.md").read_text()
        assert old in text
        (home / "lesson.md").write_text(text.replace(old, new))

    return change


def test_a_good_bank_loads(bank_folder: Path) -> None:
    bank = load_bank(bank_folder)
    flaw = bank.flaw("first-flaw")
    assert list(bank.flaws) == ["first-flaw", "second-flaw"]
    assert [variant.label for variant in flaw.variants] == [
        "seeded:seed",
        *("fix:one", "fix:two", "fix:three"),
        *("decoy:one", "decoy:two", "decoy:three"),
    ]
    assert flaw.decoys["two"].breaks == ("contract/a_flow",)
    assert flaw.untried == ("Whether it comes back.",)
    assert flaw.lesson.wrong == "It does."
    assert flaw.lesson.to_markdown().startswith("## What goes wrong\n\nIt does.\n\n## Why")
    assert flaw.lesson.hints == ("Does it?", "It does, since somebody wanted it to.")
    assert "Does it?" not in flaw.lesson.to_markdown()
    with pytest.raises(UnknownFlawError, match="no flaw 'third-flaw'"):
        bank.flaw("third-flaw")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replace('severity = "high"\n', ""), r"first-flaw/flaw.toml: severity: field required"),
        (replace('"high"', '"awful"'), "severity: "),
        (replace('"security"\n', '"sorcery"\n'), "family: "),
        (replace("minutes", "mintes"), "minutes: field required|mintes: extra"),
        (replace('id = "first-flaw"', 'id = "other"'), "its folder is 'first-flaw'"),
        (replace("second way", "First  way!"), r"fixes\.two and fixes\.one have one mechanism"),
        (replace("first mistake", "the guard is gone"), r"decoys\.one and inject\.seed have one"),
        (replace('[fixes.two]\nmechanism = "second way"\n', ""), "fixes: .*at least 3"),
        (replace("also_affects = []", 'also_affects = ["nothing"]'), "no other flaw 'nothing'"),
        (replace("exclusive = []", 'exclusive = ["first-flaw"]'), "no other flaw 'first-flaw'"),
        (replace('["Whether it comes back."]', "[1]"), "untried"),
        (replace("cwe = [639]", "cwe = [639"), "not TOML"),
        (lambda home: (home / "flaw.toml").unlink(), "flaw.toml: no such file"),
        (lambda home: (home / "lesson.md").unlink(), "first-flaw/lesson.md: no such file"),
        (lesson("## Why", "## Whence"), "lesson.md: it has a section 'Whence'"),
        (lesson("## Why\n\nBecause.\n", ""), "it has no section 'Why'"),
        (lesson("Because.", ""), "its section 'Why' is empty"),
        (lesson("2. It", "It"), "'Hints' is no numbered list of two"),
        (lesson("wanted it to.", "wanted it to.\n3. So."), "'Hints' is no numbered list of two"),
        (
            lambda home: (home / "fastapi/fixes/two.patch").unlink(),
            "fixes.two has no file fastapi/fixes/two.patch",
        ),
        (
            lambda home: (home / "fastapi/decoys/four.patch").write_text("x"),
            "fastapi/decoys/four.patch is not named",
        ),
    ],
)
def test_a_mistake_is_named(bank_folder: Path, change: Change, reason: str) -> None:
    change(bank_folder / "first-flaw")
    with pytest.raises(BankError, match=reason) as raised:
        load_bank(bank_folder)
    assert "first-flaw/" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_checks_and_competencies_are_known_elsewhere(bank_folder: Path) -> None:
    bank = load_bank(bank_folder)
    checks, competencies = ["security/a_check", "contract/a_flow"], ["security.authorisation"]
    bank.agree_with(checks, competencies)
    with pytest.raises(BankError, match="no check 'contract/a_flow'"):
        bank.agree_with(checks[:1], competencies)
    with pytest.raises(BankError, match=r"no competency 'security\.authorisation'"):
        bank.agree_with(checks, [])
