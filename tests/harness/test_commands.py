"""Whole commands, as a person runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from checks.evidence import Verdict
from exercises.bank import load_bank
from exercises.exercise import load_exercise
from harness.demo import EXERCISE, submissions
from tests.harness.commands import READY, assay, environment, submission
from tests.scoring.evidence_samples import build, flow_verdict

FLAW = "payment-idor"
CHECK = "contract/the_service_is_ready"


def test_a_kit_is_started_and_practised_with(tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    assert assay("start", "card-payments", kit).returncode == 0
    done = assay("check", kit, "--only", FLAW, "--json")
    assert done.returncode == 1, done.stderr
    verdicts = {one["check"]: one for one in json.loads(done.stdout)}
    own = {name for name, one in verdicts.items() if one["flaw"] == FLAW}
    assert own
    assert {verdicts[name]["verdict"] for name in own} == {"vulnerable"}
    assert {verdicts[name]["verdict"] for name in verdicts.keys() - own} == {"secure"}
    assert all(verdicts[name]["hint"] for name in own)


@pytest.mark.parametrize(("recorded", "same"), [("secure", True), ("broken", False)])
def test_a_verdict_is_replayed(tmp_path: Path, recorded: str, same: bool) -> None:
    folder = submission(tmp_path / "it", READY + "serve()")
    kept = tmp_path / "evidence.json"
    kept.write_text(build("it", [flow_verdict(CHECK, "", Verdict(recorded))]).to_json())
    done = assay("replay", kept, CHECK, folder, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["same"] is same
    assert found["recorded"]["verdict"] == recorded
    assert found["replayed"]["verdict"] == "secure"


def test_a_flaw_is_served_until_it_is_told_to_end() -> None:
    command = [sys.executable, "-m", "harness", "serve", "--flaw", FLAW]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C ends it all" in line:
                    break
            assert f"The service, with {FLAW}" in said
            curl = re.search(r"curl -s (\S+) -H 'Authorization: (Bearer \S+)'", said)
            assert curl is not None, said
            answer = httpx.get(curl[1], headers={"Authorization": curl[2]})
            assert answer.json()["balance"]["available"] == {"amount": 100_000, "currency": "GBP"}
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(30) == 130
            with pytest.raises(httpx.ConnectError):
                httpx.get(curl[1])
        finally:
            process.kill()


def test_a_flaw_is_learnt() -> None:
    done = assay("learn", FLAW)
    assert done.returncode == 0, done.stderr
    flaw = load_bank(only=[FLAW]).flaw(FLAW)
    assert flaw.title in done.stdout
    assert "vulnerable" in done.stdout
    assert "What goes wrong" in done.stdout
    assert f"assay serve --flaw {FLAW}" in done.stdout
    assert all(one.label in done.stdout for one in (*flaw.fixes.values(), *flaw.decoys.values()))


def test_a_wrong_way_to_remove_a_flaw_is_shown_at_work() -> None:
    decoy = next(iter(load_bank(only=[FLAW]).flaw(FLAW).decoys.values()))
    done = assay("learn", FLAW, "--variant", decoy.label)
    assert done.returncode == 0, done.stderr
    assert decoy.mechanism in " ".join(done.stdout.split())
    assert "vulnerable" in done.stdout
    assert "What goes wrong" not in done.stdout
    changed = [path for path in decoy.patch().paths if f"b/{path}" in done.stdout]
    assert changed


def test_hints_come_one_at_a_time_and_speak_of_the_kit(tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    assert assay("start", "card-payments", kit, "--seed", "5").returncode == 0
    exercise = load_exercise("card-payments", load_bank(), seed=5)
    flaw = load_bank().flaw(next(iter(exercise.flaws)))
    said = [assay("hint", flaw.checks[0], "--number", str(n), cwd=kit) for n in range(1, 5)]
    assert [one.returncode for one in said] == [0] * 4, said[0].stderr
    nudge, direction, where, line = (" ".join(one.stdout.split()) for one in said)
    assert flaw.lesson.hints[0] in nudge
    assert flaw.lesson.hints[0] not in direction
    assert flaw.lesson.hints[1] in direction
    paths = [path for path in exercise.flaws[flaw.id].patch().paths if path in where]
    assert paths
    numbered = re.findall(r"^ *(\d+) > (.*?) *$", said[3].stdout, re.MULTILINE)
    assert numbered or "something is missing" in line
    kept = {text for path in paths for text in (kit / path).read_text().splitlines()}
    assert {text.strip() for _, text in numbered} <= {text.strip() for text in kept}
    assert line.endswith(f"learn {flaw.id}")


def test_a_hint_at_what_a_kit_does_not_hold_is_refused(tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    assert assay("start", "card-payments", kit).returncode == 0
    done = assay("hint", "payout-limit-skew", kit)
    assert done.returncode == 2
    assert "payout-limit-skew is none of what" in done.stderr


def test_the_demos_submissions_differ_as_they_should() -> None:
    bank = load_bank()
    exercise = load_exercise(EXERCISE, bank)
    chosen = submissions(bank, exercise)
    assert chosen["starter"] == {}
    assert {one.kind for one in chosen["repaired"].values()} == {"fix"}
    assert {one.kind for one in chosen["partial"].values()} == {"fix", "decoy"}
    for names in (chosen["partial"], chosen["repaired"]):
        assert names.keys() == exercise.flaws.keys()
        assert all(flaw == one.flaw for flaw, one in names.items())
    trees = [exercise.tree(dict(variants)) for variants in chosen.values()]
    assert len({json.dumps(sorted(map(str, tree.items()))) for tree in trees}) == len(trees)
