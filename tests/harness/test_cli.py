"""The command line: exit statuses, and one sentence for what makes no sense."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.commands import assay

COMMANDS = (
    *("doctor", "list", "start", "check", "grade", "score"),
    *("replay", "calibrate", "serve", "learn", "demo"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = assay(command, "--help")
    assert done.returncode == 0
    assert f"Example: assay {command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["list", "things"], "'things' is not one of"),
        (["start", "no-such", "kit"], "There is no exercise 'no-such'; there are: card-payments"),
        (["grade", "kit", "--exercise", "no-such"], "There is no exercise 'no-such'"),
        (["grade", "nothing", "--exercise", "full-service"], "nothing cannot be read"),
        (["grade", "bare", "--exercise", "full-service"], "it has no assay.toml at its root"),
        (["grade", "bare", "-e", "full-service", "--role", "king"], "There is no role 'king'"),
        (["grade", "bare", "-e", "full-service", "--load", "huge"], "'huge' is not one of"),
        (["score", "nothing.json", "--role", "somnio"], "nothing.json cannot be read"),
        (["score", "wrong.json", "--role", "somnio"], "wrong.json is no evidence"),
        (["replay", "wrong.json", "p", "bare"], "wrong.json is no evidence"),
        (["check", "bare"], "it has no assay.toml at its root"),
        (["check", "nothing", "--watch"], "nothing is not a folder"),
        (["calibrate", "--flaw", "no-such"], "There is no flaw 'no-such'"),
        (["serve", "--flaw", "no-such"], "There is no flaw 'no-such'"),
        (["learn", "no-such"], "There is no flaw 'no-such'"),
    ],
)
def test_what_makes_no_sense_gets_one_sentence(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "wrong.json").write_text('{"schema": 99}')
    before = sorted(tmp_path.rglob("*"))
    done = assay(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("assay: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failure_of_the_harness_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    script = (
        "import harness.listing as l, harness.cli as c, sys\n"
        "def boom(*a, **k): raise RuntimeError('boom')\n"
        "l.show = boom\n"
        "sys.argv = ['assay', 'list', 'roles']\n"
        "c.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "RuntimeError: boom" in done.stderr
    (particulars,) = tmp_path.glob("assay-failure-*.txt")
    assert str(particulars) in done.stderr
    assert "Traceback" in particulars.read_text()


def test_lists_for_a_script() -> None:
    roles = json.loads(assay("list", "roles", "--json").stdout)
    assert {"somnio", "techflow"} <= {role["id"] for role in roles}
    exercises = json.loads(assay("list", "exercises", "--json").stdout)
    assert {one["id"]: one["minutes"] for one in exercises} == {
        "wallet-transfers": 60,
        "card-payments": 90,
        "full-service": 360,
    }
    flaws = json.loads(assay("list", "flaws", "--json").stdout)
    assert {one["id"] for one in flaws} >= set(exercises[0]["flaws"])


def test_help_and_score_import_little() -> None:
    script = (
        "import sys, harness.cli, harness.score\n"
        "heavy = {'pytest', 'asyncpg', 'locust', 'semgrep', 'httpx', 'watchfiles'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert time.perf_counter() - began < 5
