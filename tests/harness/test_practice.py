"""``assay check --watch``: the checks run now and after each save, until Ctrl-C."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from checks.evidence import CheckVerdict, Verdict
from harness.practice import Attempt, show
from tests.harness.commands import READY, environment, submission

CHECK = "contract/the_service_is_ready"
WATCHING = "Watching; save a file to run again, Ctrl-C to end."


@contextmanager
def watching(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "harness", "check", str(folder), "--watch", "--only", CHECK]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_watching(process: subprocess.Popen[str]) -> str:
    """What is printed until the command waits for a save."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if WATCHING in line:
            return said
    raise AssertionError(f"it ended: {said}")


def test_it_runs_again_at_each_save(tmp_path: Path) -> None:
    folder = submission(tmp_path / "it", READY + "serve()\n")
    service, manifest = folder / "service.py", folder / "assay.toml"
    with watching(folder) as process:
        assert "1/1 hold" in until_watching(process)
        service.write_text(service.read_text().replace('"status": "ok"', '"status": "bad"'))
        said = until_watching(process)
        assert "0/1 hold" in said
        assert f"Next: {CHECK}" in said
        service.write_text("raise SystemExit('my own fault')\n")
        said = until_watching(process)
        assert "The service does not run." in said
        assert "my own fault" in said
        kept = manifest.read_text()
        manifest.unlink()
        assert "assay.toml" in until_watching(process)
        service.write_text(READY + "serve()\n")
        manifest.write_text(kept)
        while "1/1 hold" not in until_watching(process):
            pass
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 130


def test_what_git_and_editors_leave_is_no_save(tmp_path: Path) -> None:
    folder = submission(tmp_path / "it", READY + "serve()\n")
    (folder / "__pycache__").mkdir()
    (folder / ".git").mkdir()
    with watching(folder) as process:
        until_watching(process)
        (folder / "__pycache__" / "service.pyc").write_bytes(b"1")
        (folder / ".git" / "index").write_bytes(b"1")
        (folder / "service.py").write_text("raise SystemExit\n")
        # Had the others been taken for saves, there would have been one run more.
        assert "The service does not run." in until_watching(process)


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize(
    ("flaw", "verdict", "told"),
    [("a-flaw", Verdict.VULNERABLE, False), (None, Verdict.BROKEN, True)],
)
def test_how_a_flaw_is_mended_is_told_only_when_asked_for(
    flaw: str | None, verdict: Verdict, told: bool, every: bool
) -> None:
    found = CheckVerdict(
        check="a/check",
        flaw=flaw,
        verdict=verdict,
        summary="It holds.",
        because="It did not.",
        hint="Mend it so.",
    )
    output = io.StringIO()
    show(Attempt((found,)), Console(file=output, width=200), every=every)
    said = output.getvalue()
    assert "It did not." in said
    assert (found.hint in said) is told
    assert ("hint a/check" in said) is not told


def said_of(**verdict: object) -> str:
    """What is shown of one verdict that is not reached."""
    told = CheckVerdict.model_validate(
        {"check": "a/b", "flaw": "c", "verdict": Verdict.NOT_REACHED, "summary": "D.", **verdict}
    )
    out = io.StringIO()
    show(Attempt((told,)), Console(file=out, width=100), every=True)
    return out.getvalue()


def test_what_no_other_check_explains_says_why_it_was_not_reached() -> None:
    said = said_of(because="The source could not be followed.")
    assert "The source could not be followed." in said
    assert "nothing is held against the service" in said
    behind = said_of(because="It builds on another.", blocked_by="contract/x")
    assert "It builds on another." not in behind
