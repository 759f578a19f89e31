"""A tiny reference, bank and exercise of the tests' own, so that they stand by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from exercises import places

MANIFEST = """\
id = "{id}"
title = "A flaw for the tests"
family = "security"
severity = "high"
cwe = [639]
owasp = ["API1:2023"]
competencies = ["security.authorisation"]
minutes = 10
checks = ["security/a_check"]
exclusive = []
also_affects = []
untried = ["Whether it comes back."]

[inject.seed]
mechanism = "the guard is gone"
[fixes.one]
mechanism = "first way"
[fixes.two]
mechanism = "second way"
[fixes.three]
mechanism = "third way"
[decoys.one]
mechanism = "first mistake"
[decoys.two]
mechanism = "second mistake"
breaks = ["contract/a_flow"]
[decoys.three]
mechanism = "third mistake"
"""
LESSON = """\
## What goes wrong

It does.

## Why

Because.

## Fix

So.

## Trade-offs

Some.

## Questions

- Which?

## Hints

1. Does it?
2. It does, since somebody
   wanted it to.
"""


def patch_text(line: int, text: str) -> str:
    """A patch that changes one line of ``app.py`` as ``write_service`` writes it."""
    return (
        "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n"
        f"@@ -{line} +{line} @@\n-line {line}\n+{text}\n"
    )


def write_flaw(folder: Path, name: str, line: int) -> Path:
    """A whole flaw that changes one line of the service."""
    home = folder / name
    for kind, names in (
        ("inject", ["seed"]),
        ("fixes", ["one", "two", "three"]),
        ("decoys", ["one", "two", "three"]),
    ):
        (home / "fastapi" / kind).mkdir(parents=True)
        for variant in names:
            patch = patch_text(line, f"{name} {kind} {variant}")
            (home / "fastapi" / kind / f"{variant}.patch").write_text(patch)
    (home / "flaw.toml").write_text(MANIFEST.format(id=name))
    (home / "lesson.md").write_text(LESSON)
    return home


@pytest.fixture
def bank_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "flaws"
    write_flaw(folder, "first-flaw", 2)
    write_flaw(folder, "second-flaw", 6)
    return folder


@pytest.fixture
def exercises_folder(tmp_path: Path, bank_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An exercise ``small`` on a service of one file; the places point at the tests' own."""
    service = tmp_path / "reference" / "fastapi"
    service.mkdir(parents=True)
    (service / "app.py").write_text("".join(f"line {number}\n" for number in range(1, 9)))
    (service / "assay.toml").write_text("[service]\n")
    (service / "__pycache__").mkdir()
    (service / "__pycache__" / "app.pyc").write_text("leaving")
    contract = tmp_path / "reference" / "contract"
    contract.mkdir()
    (contract / "CONTRACT.md").write_text("# The contract\n")
    (contract / "openapi.yaml").write_text("openapi: 3.1.0\n")
    monkeypatch.setattr(places, "REFERENCE", tmp_path / "reference")
    monkeypatch.setattr(places, "CONTRACT", contract)
    home = tmp_path / "exercises" / "small"
    home.mkdir(parents=True)
    (home / "brief.md").write_text("# Mend it\n")
    (home / "exercise.toml").write_text(
        'id = "small"\ntitle = "A small one"\nsummary = "For the tests."\nkind = "repair"\n'
        'minutes = 10\ntrack = "fastapi"\nflaws = ["first-flaw", "second-flaw"]\n'
    )
    return home.parent


#: A patch that only adds a file.
ADDING = """\
diff --git a/more.py b/more.py
new file mode 100644
--- /dev/null
+++ b/more.py
@@ -0,0 +1 @@
+MORE = 1
"""


@pytest.fixture
def review_folder(exercises_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Beside it a review ``judged``, of one flaw and the harmless change ``more``."""
    monkeypatch.setattr(places, "HARMLESS", tmp_path / "reference" / "harmless")
    more = places.HARMLESS / "more"
    more.mkdir(parents=True)
    (more / "change.toml").write_text('title = "More"\nabout = "Nobody reads it."\n')
    (more / "fastapi.patch").write_text(ADDING)
    home = exercises_folder / "judged"
    home.mkdir()
    (home / "brief.md").write_text("# Judge it\n")
    (home / "pull-request.md").write_text("# Lines, made shorter\n\nThey were too long.\n")
    (home / "exercise.toml").write_text(
        'id = "judged"\ntitle = "A review"\nsummary = "For the tests."\nkind = "review"\n'
        'minutes = 10\ntrack = "fastapi"\nflaws = ["first-flaw"]\nharmless = ["more"]\n'
    )
    return exercises_folder
