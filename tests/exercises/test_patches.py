"""Patches fit exactly or are refused by name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.patches import PatchError, parse_patch
from exercises.tree import ConflictError, compose, write_tree

BASE = {
    "payments/app.py": b"one\ntwo\nthree\nfour\nfive\n",
    "payments/money.py": b"alpha\nbeta\ngamma",
}


def git_diff(tmp_path: Path, before: dict[str, bytes], after: dict[str, bytes]) -> bytes:
    """The patch that git itself writes for a change."""
    repository = tmp_path / "diff"
    old, new = repository / "old", repository / "new"
    write_tree(before, old)
    write_tree(after, new)
    old.mkdir(exist_ok=True)
    new.mkdir(exist_ok=True)
    git = ["git", "diff", "--no-index", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/"]
    done = subprocess.run([*git, "old", "new"], cwd=repository, capture_output=True, check=False)
    return (
        done.stdout.replace(b"a/old/", b"a/")
        .replace(b"b/new/", b"b/")
        .replace(b"rename from old/", b"rename from ")
        .replace(b"rename to new/", b"rename to ")
    )


def test_gits_own_patch_gives_gits_own_result(tmp_path: Path) -> None:
    after = {
        "payments/app.py": b"one\n2\nthree\nfour\nfive\nsix\n",
        "payments/money.py": b"alpha\nbeta\ngamma\n",
        "payments/new.py": b"fresh\n",
    }
    patch = parse_patch(git_diff(tmp_path, BASE, after), "x/fixes/y")
    assert compose(BASE, [patch]) == after


def test_deleting_and_renaming(tmp_path: Path) -> None:
    before = {"a.py": b"".join(b"line %d\n" % i for i in range(20)), "b.py": b"gone\n"}
    after = {"c.py": before["a.py"].replace(b"line 3\n", b"line three\n")}
    patch = parse_patch(git_diff(tmp_path, before, after), "x/fixes/y")
    assert compose(before, [patch]) == after


def test_drift_is_refused_by_name(tmp_path: Path) -> None:
    after = {**BASE, "payments/app.py": b"one\ntwo\nthree\nfour\n5\n"}
    patch = parse_patch(git_diff(tmp_path, BASE, after), "some-flaw/fixes/some-fix")
    drifted = {**BASE, "payments/app.py": b"zero\n" + BASE["payments/app.py"]}
    with pytest.raises(PatchError, match=r"some-flaw/fixes/some-fix no longer fits .*app\.py"):
        compose(drifted, [patch])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "holds no change"),
        (b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "holds no change"),
        (b"diff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", "outside"),
        (b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n+b\n", "in the middle"),
        (b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n", "outside its hunks"),
        (b"diff --git a/x b/x\nGIT binary patch\nliteral 1\n", "may not have"),
        (b"diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n", "may not have"),
        (b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n" * 2, "twice"),
    ],
)
def test_what_is_no_patch_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(PatchError, match=f"patch p .*{reason}"):
        parse_patch(text, "p")


def test_a_conflict_names_both(tmp_path: Path) -> None:
    one = {**BASE, "payments/app.py": b"one\n2\nthree\nfour\nfive\n"}
    other = {**BASE, "payments/app.py": b"one\nTWO\nthree\nfour\nfive\n"}
    patches = [
        parse_patch(git_diff(tmp_path / "1", BASE, one), "first"),
        parse_patch(git_diff(tmp_path / "2", BASE, other), "second"),
    ]
    with pytest.raises(
        ConflictError, match=r"first and second both change payments/app\.py line 2"
    ):
        compose(BASE, patches)
    with pytest.raises(ConflictError):
        compose(BASE, reversed(patches))


def test_an_edit_of_a_deleted_file_is_a_conflict(tmp_path: Path) -> None:
    deleted = {"payments/money.py": BASE["payments/money.py"]}
    edited = {**BASE, "payments/app.py": b"1\ntwo\nthree\nfour\nfive\n"}
    patches = [
        parse_patch(git_diff(tmp_path / "1", BASE, deleted), "first"),
        parse_patch(git_diff(tmp_path / "2", BASE, edited), "second"),
    ]
    with pytest.raises(ConflictError, match="first and second"):
        compose(BASE, patches)


def test_the_same_new_file_is_made_once(tmp_path: Path) -> None:
    added = {**BASE, "payments/locks.py": b"x\n"}
    patch = git_diff(tmp_path, BASE, added)
    assert compose(BASE, [parse_patch(patch, "one"), parse_patch(patch, "other")]) == added
    other = parse_patch(patch.replace(b"+x", b"+y"), "other")
    with pytest.raises(ConflictError, match=r"one and other both change payments/locks\.py"):
        compose(BASE, [parse_patch(patch, "one"), other])


LINES = [b"line %d\n" % number for number in range(12)]
EDITS = st.dictionaries(
    st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "change", "insert"]), max_size=3
)


def edited(edits: dict[int, str], who: bytes) -> bytes:
    parts = []
    for number, line in enumerate(LINES):
        what = edits.get(number)
        if what == "change":
            parts.append(who + b" changes " + line)
        elif what == "insert":
            parts.append(who + b" before " + line + line)
        elif what is None:
            parts.append(line)
    return b"".join(parts)


@settings(max_examples=40, deadline=None)
@given(mine=EDITS, yours=EDITS)
def test_wherever_git_merges_we_merge_alike(
    tmp_path_factory: pytest.TempPathFactory, mine: dict[int, str], yours: dict[int, str]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    base = b"".join(LINES)
    texts = {"mine": edited(mine, b"mine"), "base": base, "yours": edited(yours, b"yours")}
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    git = subprocess.run(
        ["git", "merge-file", "-p", "mine", "base", "yours"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    patches = [
        parse_patch(git_diff(folder / f"{name}-diff", {"f": base}, {"f": texts[name]}), name)
        for name in ("mine", "yours")
        if texts[name] != base
    ]
    try:
        ours = compose({"f": base}, patches)["f"]
    except ConflictError:
        assert git.returncode > 0, "git merges what we call a conflict"
    else:
        assert git.returncode > 0 or ours == git.stdout
