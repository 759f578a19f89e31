"""What a branch changes, read without running anything of the repository's."""

from __future__ import annotations

import random
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from exercises import pull_request
from harness.errors import UsageError
from harness.review.changes import FileChange
from harness.review.request import read_request
from harness.review.rows import CONTEXT, Gap, Row, View, alike, rows
from tests.harness.review.kits import AFTER, BEFORE, write_review


def changes(folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> list[FileChange]:
    return list(read_request(write_review(folder, before, after)).changes)


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def put_together(change: FileChange) -> list[str]:
    """The new side, made of the old one and the edits."""
    assert change.old is not None
    assert change.new is not None
    made, at = list[str](), 0
    for edit in change.edits:
        made += change.old.lines[at : edit.old] + change.new.lines[edit.new : edit.new_end]
        at = edit.old_end
    return [*made, *change.old.lines[at:]]


def test_a_kits_request_is_read(kit: Path) -> None:
    request = read_request(kit)
    assert request.title == "Transfers made faster"
    assert request.description.startswith("They waited")
    assert request.brief.startswith("# Judge it")
    assert (request.kit.exercise, request.kit.seed) == ("judged", 3)
    assert [change.path for change in request.changes] == [
        "payments/news.py",
        "payments/transfers.py",
    ]
    added, changed = request.changes
    assert (added.old, added.added, added.notes) == (None, 1, ("This file is new.",))
    assert (changed.added, changed.removed) == (2, 4)
    assert put_together(changed) == AFTER.splitlines()


def test_a_file_may_be_anything(tmp_path: Path) -> None:
    before = {
        "kept.py": b"same\n",
        "gone.py": b"one\ntwo\n",
        "moved/from.py": b"".join(b"line %d\n" % number for number in range(20)),
        "bytes.bin": b"\0" * 300,
        'odd "name" \xc3\xa9.py'.encode("latin-1").decode(): b"a\n",
        "open.py": b"a\nb",
        "latin.txt": b"caf\xe9\n",
        "crlf.txt": b"a\r\nb\r\n",
    }
    after = {
        **before,
        "bytes.bin": b"\0" * 200,
        'odd "name" \xc3\xa9.py'.encode("latin-1").decode(): b"a\nb\n",
        "open.py": b"a\nB",
        "empty.py": b"",
        "latin.txt": b"caf\xe8\n",
        "crlf.txt": b"a\r\nc\r\n",
        "moved/to.py": before["moved/from.py"] + b"more\n",
        "huge.txt": b"x" * 1_200_000,
    }
    del after["gone.py"], after["moved/from.py"]
    found = {one.path: one for one in changes(tmp_path / "kit", before, after)}
    assert "kept.py" not in found
    assert found["gone.py"].new is None
    assert found["gone.py"].removed == 2
    assert found["moved/to.py"].old is not None
    assert found["moved/to.py"].old.path == "moved/from.py"
    assert (found["moved/to.py"].added, found["moved/to.py"].removed) == (1, 0)
    assert found["moved/to.py"].notes == ("Renamed from moved/from.py.",)
    assert found["bytes.bin"].notes == ("It is no text: its lines are not shown.",)
    assert found["huge.txt"].notes[-1] == "It is too large to be shown."
    assert found["huge.txt"].edits == ()
    assert found['odd "name" é.py'].added == 1
    assert found["open.py"].new is not None
    assert not found["open.py"].new.ended
    assert (found["open.py"].added, found["open.py"].removed) == (1, 1)
    assert found["empty.py"].notes == ("This file is new.",)
    assert found["latin.txt"].new is not None
    assert found["latin.txt"].new.lines == ("caf\ufffd",)
    assert found["crlf.txt"].new is not None
    assert found["crlf.txt"].new.lines == ("a\r", "c\r")


def test_links_modes_and_repositories_are_named(kit: Path) -> None:
    (kit / "README.md").chmod(0o755)
    (kit / "link").symlink_to("/etc/passwd")
    (kit / "payments" / "news.py").unlink()
    (kit / "payments" / "news.py").symlink_to("transfers.py")
    git(kit, "add", "--all")
    commit = git(kit, "rev-parse", "HEAD").strip()
    git(kit, "update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    git(kit, "commit", "--quiet", "-m", "more")
    found = {one.path: one for one in read_request(kit).changes}
    assert found["README.md"].notes == ("It can be executed now.",)
    assert "It is a link, to what is shown." in found["link"].notes
    assert found["link"].new is not None
    assert found["link"].new.lines == ("/etc/passwd",)
    assert "It is another repository, at another commit." in found["module"].notes
    assert all(list(rows(one, "unified")) is not None for one in found.values())


def test_nothing_of_the_repositorys_runs(kit: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\ncat\n")
    trap.chmod(0o755)
    for name, value in {
        "core.fsmonitor": str(trap),
        "core.pager": str(trap),
        "core.sshCommand": str(trap),
        "diff.external": str(trap),
        "diff.evil.command": str(trap),
        "diff.evil.textconv": str(trap),
        "filter.evil.smudge": str(trap),
        "filter.evil.clean": str(trap),
        "remote.origin.url": "somewhere:nothing",
        "remote.origin.promisor": "true",
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
    }.items():
        git(kit, "config", name, value)
    (kit / ".git" / "info").mkdir(exist_ok=True)
    (kit / ".git" / "info" / "attributes").write_text("* diff=evil filter=evil\n")
    (kit / ".gitattributes").write_text("* diff=evil filter=evil\n")
    for hook in ("post-checkout", "pre-commit", "reference-transaction"):
        (kit / ".git" / "hooks").mkdir(exist_ok=True)
        trap_at = kit / ".git" / "hooks" / hook
        trap_at.symlink_to(trap)
    assert len(read_request(kit).changes) == 2
    blob = git(kit, "-c", "core.fsmonitor=", "rev-parse", "change:payments/news.py").strip()
    (tmp_path / "sprung").unlink(missing_ok=True)
    (kit / ".git" / "objects" / blob[:2] / blob[2:]).unlink()  # a promisor would be asked for it
    with pytest.raises(UsageError):
        read_request(kit)
    assert not (tmp_path / "sprung").exists()


def test_packed_branches_are_found_and_missing_ones_named(kit: Path) -> None:
    git(kit, "pack-refs", "--all")
    git(kit, "gc", "--quiet")
    assert len(read_request(kit).changes) == 2
    git(kit, "checkout", "--quiet", "main")
    git(kit, "branch", "-D", "change")
    with pytest.raises(UsageError, match=r"is no kit of a review: it has no branch change\.$"):
        read_request(kit)


def test_a_commit_of_the_review_itself_is_no_part_of_it(kit: Path) -> None:
    (kit / "review.json").write_text("{}")
    git(kit, "add", "review.json")
    git(kit, "commit", "--quiet", "-m", "mine")
    assert [one.path for one in read_request(kit).changes] == [
        "payments/news.py",
        "payments/transfers.py",
    ]


def scrambled(seed: int) -> tuple[str, str]:
    """A file before and after some edits."""
    chance = random.Random(seed)
    before = [f"line {chance.randrange(30)}" for _ in range(chance.randrange(60))]
    after = list(before)
    for _ in range(chance.randrange(6)):
        at = chance.randrange(len(after) + 1)
        after[at : at + chance.randrange(4)] = ["put"] * chance.randrange(4)
    return "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after)


def test_rows_show_each_line_once_in_either_view(tmp_path: Path) -> None:
    before, after = dict[str, bytes](), dict[str, bytes]()
    for seed in range(60):
        old, new = scrambled(seed)
        before[f"{seed}.txt"], after[f"{seed}.txt"] = old.encode(), new.encode()
    for change in changes(tmp_path / "kit", before, after):
        if change.old is None or change.new is None:
            continue
        assert put_together(change) == list(change.new.lines)
        for view in ("unified", "split"):
            hold_together(change, view)


def hold_together(change: FileChange, view: View) -> None:
    assert change.old is not None
    assert change.new is not None
    old, new = list[int](), list[int]()
    shown = list(rows(change, view))
    for row in shown:
        if isinstance(row, Gap):
            between = alike(change, row.new, row.last_new)
            assert len(between) == row.count > 1
            assert (between[0].old, between[-1].old) == (row.old, row.last_old)
            old += [one.old for one in between if one.old]
            new += [one.new for one in between if one.new]
            continue
        old += [row.old] if row.old else []
        new += [row.new] if row.new else []
        if row.kind == "same" and row.old and row.new:
            assert change.old.lines[row.old - 1] == change.new.lines[row.new - 1]
    assert old == list(range(1, len(change.old.lines) + 1))
    assert new == list(range(1, len(change.new.lines) + 1))
    assert sum(isinstance(row, Row) and row.starts for row in shown) == len(change.edits)
    assert not any(isinstance(a, Gap) and isinstance(b, Gap) for a, b in pairwise(shown))


def test_as_much_is_shown_around_a_change_as_counts_as_its_place() -> None:
    assert CONTEXT == pull_request.CONTEXT


def test_a_short_gap_is_shown_instead(tmp_path: Path) -> None:
    text = BEFORE.splitlines(keepends=True)
    text[10], text[18] = "changed\n", "changed\n"
    (change,) = changes(
        tmp_path / "kit", {"a.py": BEFORE.encode()}, {"a.py": "".join(text).encode()}
    )
    assert sum(isinstance(row, Gap) for row in rows(change, "unified")) == 2


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("nothing", "it is no git repository"),
        ("repository", "it has no branch main"),
        ("repair", "it has no branch change"),
        ("file", "it is no git repository"),
    ],
)
def test_what_is_no_kit_is_said(tmp_path: Path, given: str, why: str) -> None:
    folder = tmp_path / "it"
    if given == "file":
        folder.write_text("")
    else:
        folder.mkdir()
    if given in ("repository", "repair"):
        git(folder, "init", "--quiet", "--initial-branch=main")
    if given == "repair":
        (folder / "kit.toml").write_text('exercise = "x"\n')
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", "kit")
    with pytest.raises(UsageError, match=f"is no kit of a review: {why}"):
        read_request(folder)
