"""The command line: exit statuses, and one sentence for what makes no sense."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from checks.evidence import Probe, Verdict
from harness.errors import UsageError
from harness.replay import find
from harness.selection import chosen_checks
from harness.start import command
from harness.version import assay_version
from tests.harness.commands import assay
from tests.scoring.evidence_samples import build, flow_verdict

COMMANDS = (
    *("doctor", "list", "start", "check", "grade", "score"),
    *("replay", "calibrate", "serve", "learn", "hint", "demo"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = assay(command, "--help")
    assert done.returncode == 0
    assert f"Example: assay {command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["frobnicate"], "There is no command 'frobnicate'; try 'assay --help'."),
        (["lst"], "There is no command 'lst'; did you mean 'list'?"),
        (["--seed", "3"], "There is no option '--seed'; try 'assay --help'."),
        (["list"], "assay: Say what to list: exercises, flaws or roles.\n"),
        (["list", "things"], "assay: Say what to list: exercises, flaws or roles.\n"),
        (["start"], "EXERCISE is missing: an exercise's id; try 'assay start --help'."),
        (["start", "a", "b", "c"], "There is no place for 'c'; try 'assay start --help'."),
        (["start", "a", "b", "--seed", "-1"], "assay: --seed takes a whole number from 0.\n"),
        (["start", "a", "b", "--seed", "one"], "assay: --seed takes a whole number from 0.\n"),
        (["start", "a", "b", "--seed"], "--seed needs a value; try 'assay start --help'."),
        (["start", "a", "b", "--sed", "1"], "no option '--sed'; did you mean '--seed'?"),
        (["calibrate", "--repeat", "0"], "assay: --repeat takes a whole number from 1.\n"),
        (["serve", "--port", "0"], "assay: --port takes a whole number from 1 to 65535.\n"),
        (["check", "--watch=yes"], "does not take a value; try 'assay check --help'."),
        (["score", "x"], "--role is missing: a role's id; try 'assay score --help'."),
        (["start", "no-such", "kit"], "There is no exercise 'no-such'; there are: card-payments"),
        (["grade", "kit", "--exercise", "no-such"], "There is no exercise 'no-such'"),
        (["start", "wallet-transfer", "kit"], "; did you mean 'wallet-transfers'?"),
        (["grade", "bare", "-e", "ful-service"], "; did you mean 'full-service'?"),
        (["grade", "nothing", "--exercise", "full-service"], "nothing cannot be read"),
        (["grade", "bare", "--exercise", "full-service"], "it has no assay.toml at its root"),
        (["grade", "bare", "-e", "full-service", "--role", "king"], "There is no role 'king'"),
        (
            ["grade", "bare", "-e", "full-service", "--load", "huge"],
            "--load takes off, quick or full.",
        ),
        (["score", "x", "--role", "techflow", "--role", "somino"], "did you mean 'somnio'?"),
        (["score", "bare", "--role", "somnio"], "bare is a folder: name an evidence.json."),
        (["score", "kept", "--role", "somnio"], "kept is a folder: name the evidence.json in it."),
        (["replay", "kept", "p", "bare"], "kept is a folder: name the evidence.json in it."),
        (["score", "nothing.json", "--role", "somnio"], "nothing.json cannot be read"),
        (["score", "wrong.json", "--role", "somnio"], "wrong.json is no evidence"),
        (["replay", "wrong.json", "p", "bare"], "wrong.json is no evidence"),
        (["check", "bare"], "it has no assay.toml at its root"),
        (["check", "nothing", "--watch"], "nothing is not a folder"),
        (["calibrate", "--flaw", "no-such"], "There is no flaw 'no-such'"),
        (
            ["calibrate", "--mode", "twice"],
            "--mode takes alone, whole or bundled.",
        ),
        (
            ["calibrate", "--flaw", "capture-twice", "--variant", "fix:x"],
            "There is no variant fix:x",
        ),
        (["serve", "--flaw", "no-such"], "There is no flaw 'no-such'"),
        (["learn", "no-such"], "There is no flaw 'no-such'"),
        (["learn", "payment-ido"], "There is no flaw 'payment-ido'; did you mean 'payment-idor'?"),
        (
            ["learn", "payment-idor", "--variant", "fix:x"],
            "payment-idor has no variant 'fix:x'; there are: seeded:by-id-alone",
        ),
        (["hint", "no-such"], "There is no flaw or check of one 'no-such'"),
        (["hint", "payment-idor", "--number", "5"], "There are 4 hints, and then the lesson"),
        (["serve", "--flaw", "payment-ido"], "did you mean 'payment-idor'?"),
    ],
)
def test_what_makes_no_sense_gets_one_sentence(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "wrong.json").write_text('{"schema": 99}')
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "evidence.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    done = assay(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("assay: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_the_version_is_said() -> None:
    done = assay("--version")
    assert (done.returncode, done.stdout) == (0, f"assay {assay_version()}\n")


def test_an_unknown_probe_is_answered_with_what_an_id_looks_like() -> None:
    evidence = build("it", [flow_verdict("contract/one", "", Verdict.SECURE)])
    with pytest.raises(UsageError, match="reads family/check#n, and it holds none"):
        find(evidence, "P12")
    probes = tuple(Probe(id=f"contract/{name}#0", title="") for name in ("one", "two"))
    verdict = flow_verdict("contract/one", "", Verdict.SECURE).model_copy(update={"probes": probes})
    evidence = build("it", [verdict])
    assert find(evidence, "contract/two#0") == verdict
    for typed, example in (("P12", "contract/one#0"), ("contract/two#7", "contract/two#0")):
        with pytest.raises(UsageError, match=f"as the report shows it, such as '{example}'"):
            find(evidence, typed)


def test_only_knows_what_was_meant() -> None:
    with pytest.raises(UsageError, match="'payment-ido'; did you mean 'payment-idor'"):
        chosen_checks(["payment-ido"], None)
    with pytest.raises(UsageError, match="'zzz'; 'assay list flaws' shows the flaws"):
        chosen_checks(["zzz"], None)


def test_the_command_to_go_on_with_works_in_the_kits_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "my tools" / "assay"
    script.parent.mkdir()
    script.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["my tools/assay", "start"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert command() == f"'{script}'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert command() == "assay"
    monkeypatch.setattr(sys, "argv", [str(script), "start"])
    assert command() == "assay"
    monkeypatch.setattr(sys, "argv", ["/elsewhere/assay", "start"])
    assert command() == "/elsewhere/assay"
    monkeypatch.setattr(sys, "argv", ["/elsewhere/harness/__main__.py", "start"])
    assert command() == f"{sys.executable} -m harness"


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
        "merchant-api": 90,
        "payouts": 90,
        "month-end": 90,
        "double-charge": 60,
        "webhooks": 90,
        "conversions": 45,
        "full-service": 360,
        "due-diligence": 1440,
        "faster-transfers": 40,
        "refunds-reworked": 40,
        "webhooks-hardened": 45,
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
