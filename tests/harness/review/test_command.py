"""``assay review`` as a person calls it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from checks.reviewed import read_review
from tests.harness.commands import assay, environment
from tests.harness.review.kits import small
from tests.harness.review.running import comment, running
from tests.harness.review.test_github import said, verdict


def reviewed(kit: Path, *options: str | Path, path: str = os.defpath) -> tuple[int, str]:
    """The status, and what was said: all of it, or the one sentence on standard error."""
    bare = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "", "PATH": path}
    done = assay("review", kit, *options, cwd=None, **bare)
    if done.returncode:
        assert not done.stdout
        assert done.stderr.count("\n") == 1
    return done.returncode, done.stdout or done.stderr


def test_it_says_where_the_page_is_and_ends_when_told(kit: Path) -> None:
    with running(kit) as served:
        assert served.entrance.startswith(f"http://127.0.0.1:{served.port}/enter?key=")
        os.killpg(served.process.pid, signal.SIGINT)
        assert served.process.wait(20) == 130
    with running(kit) as served:
        served.process.terminate()
        assert served.process.wait(20) == 143
    assert not (kit / "review.json").exists()


def test_what_is_no_kit_is_refused(tmp_path: Path) -> None:
    status, why = reviewed(tmp_path)
    assert status == 2
    assert why == f"assay: {tmp_path} is no kit of a review: it is no git repository.\n"


def test_a_port_that_is_taken_is_named(kit: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        status, why = reviewed(kit, "--no-browser", "--port", str(port))
    assert status == 2
    assert why.startswith(f"assay: Port {port} is taken; ")


def test_the_usual_port_need_not_be_free(kit: Path, tmp_path: Path) -> None:
    with running(kit), running(small(tmp_path / "other")) as other, other.client() as client:
        assert client.get("/").status_code == 200


def test_where_there_is_no_browser_it_is_said(kit: Path, tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "git").symlink_to(git)
    status, why = reviewed(kit, path=str(tmp_path))
    assert status == 2
    assert "There is no browser here: say --no-browser" in why


def test_a_browser_is_shown_a_ticket_that_lets_in_once(kit: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho "$1" > {shown}.new && mv {shown}.new {shown}\n')
    opener.chmod(0o755)
    command = [sys.executable, "-m", "harness", "review", str(kit)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(BROWSER=str(opener)),
        start_new_session=True,
    ) as process:
        try:
            until = time.monotonic() + 60
            while not shown.exists() and time.monotonic() < until:
                time.sleep(0.05)
            address = shown.read_text().strip()
            assert httpx.get(address).status_code == 200
            assert httpx.get(address).status_code == 403
        finally:
            process.kill()


def test_only_one_command_has_a_kit(kit: Path) -> None:
    with running(kit):
        status, why = reviewed(kit, "--no-browser")
        assert status == 2
        assert "Another 'assay review' has" in why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"schema": 1, "exercise": "judged", "see', "The review cannot be read: Invalid JSON"),
        ('{"schema": 1, "exercise": "other", "seed": 3}', "of another exercise: 'other'"),
        (
            json.dumps(
                {
                    "schema": 1,
                    "exercise": "judged",
                    "seed": 3,
                    "comments": [{**comment(), "severity": "grave"}],
                }
            ),
            "comments[0].severity",
        ),
    ],
)
def test_what_cannot_be_read_is_moved_only_when_told(kit: Path, text: str, why: str) -> None:
    file = kit / "review.json"
    file.write_text(text)
    status, said_ = reviewed(kit, "--no-browser")
    assert status == 2
    assert why in said_
    assert "--set-aside" in said_
    assert file.read_text() == text
    with running(kit, "--set-aside"):
        assert not file.exists()
        assert (kit / "review.json.1").read_text() == text


def test_a_review_from_github_is_taken_in(kit: Path, tmp_path: Path) -> None:
    given = tmp_path / "github.json"
    comments = [said(1, body="[high][races] No lock."), said(2, path="else/where.py")]
    given.write_text(
        json.dumps({"comments": comments, "reviews": [verdict("CHANGES_REQUESTED", "No.")]})
    )
    status, told = reviewed(kit, "--import", given)
    assert status == 0
    assert "2 comments taken in." in told
    assert "1 comment on lines that this pull request does not show." in told
    kept = read_review((kit / "review.json").read_bytes())
    assert [(c.id, c.severity, c.category) for c in kept.comments] == [
        ("github-1", "high", "races"),
        ("github-2", "medium", "other"),
    ]
    assert (kept.decision, kept.summary) == ("request changes", "No.")
    status, told = reviewed(kit, "--import", given)
    assert status == 0
    assert "0 comments taken in, 2 were there already." in told
    assert read_review((kit / "review.json").read_bytes()) == kept


def test_an_import_overwrites_nothing(kit: Path, tmp_path: Path) -> None:
    given = tmp_path / "github.json"
    given.write_text(json.dumps([said(1)]))
    (kit / "review.json").write_text("{")
    assert reviewed(kit, "--import", given)[0] == 2
    assert (kit / "review.json").read_text() == "{"
    (kit / "review.json").unlink()
    status, why = reviewed(kit, "--import", tmp_path / "missing.json")
    assert (status, "cannot be read: No such file" in why) == (2, True)
    given.write_text('{"message": "Not Found"}')
    assert reviewed(kit, "--import", given)[0] == 2
    assert not (kit / "review.json").exists()
