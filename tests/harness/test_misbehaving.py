"""Services that misbehave: one clear sentence, the right status, nothing left running or lying."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.score import read_evidence
from tests.harness.commands import READY, assay, submission

CHECK = "contract/the_service_is_ready"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the command keeps what is temporary; open to the service's user, as /tmp is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def running(word: str) -> list[list[str]]:
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if word in command:
            found.append(command)
    return found


def test_it_exits_half_way(tmp_path: Path, temporary: Path) -> None:
    code = READY + (
        "answer = Handler.do_GET\n"
        "def until_asked(handler):\n"
        "    if handler.path.startswith('/v1'):\n"
        "        print('my own undoing', flush=True)\n"
        "        os._exit(3)\n"
        "    answer(handler)\n"
        "Handler.do_GET = Handler.do_POST = until_asked\n"
        "serve()\n"
    )
    folder, out = submission(tmp_path / "it", code), tmp_path / "out"
    arguments = ("--exercise", "wallet-transfers", "--role", "somnio", "--load", "off")
    done = assay("grade", folder, *arguments, "--out", out, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stderr
    sentence = "While the checks ran, replica 0 exited with status 3"
    assert f"The service did not run on: {sentence}" in done.stdout
    evidence = read_evidence(out / "evidence.json")
    assert evidence.service.started
    assert (evidence.service.failure or "").startswith(sentence)
    assert "my own undoing" in evidence.logs[0].text
    for report in ("report.html", "report.md"):
        text = (out / "somnio" / report).read_text()
        assert sentence in text
    assert "my own undoing" in (out / "somnio" / "report.html").read_text()
    assert sorted(path.name for path in temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        (
            "serve(int(sys.argv[1]) + 1)",
            1,
            "The service exited with status 1 before it was ready.",
        ),
        ("print('bye'); sys.exit(5)", 1, "The service exited with status 5 before it was ready."),
        (
            "threading.Thread(target=lambda: [print('x' * 9999) for _ in iter(int, 1)], "
            "daemon=True).start(); serve()",
            0,
            "",
        ),
        ("subprocess.Popen(['sleep', CHILD], start_new_session=True); serve()", 0, ""),
    ],
    ids=["another port", "exits", "prints without end", "leaves children"],
)
def test_what_does_not_behave_is_practised_with(
    tmp_path: Path, temporary: Path, code: str, status: int, sentence: str
) -> None:
    name = f"service-{secrets.token_hex(6)}.py"
    child = str(10**6 + secrets.randbelow(10**6))  # seconds to sleep; by them it is known
    folder = submission(tmp_path / "it", f"{READY}CHILD = {child!r}\n{code}", name)
    before = sorted(folder.rglob("*"))
    done = assay("check", folder, "--only", CHECK, "--json", TMPDIR=str(temporary))
    assert done.returncode == status, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("assay: ")]
    assert said == ([f"assay: {sentence}"] if sentence else [])
    found = json.loads(done.stdout)
    assert [one["check"] for one in found] == ([] if sentence else [CHECK])
    assert sorted(folder.rglob("*")) == before
    assert not running(child)
    assert not running(name)
    assert sorted(path.name for path in temporary.iterdir()) == []


def test_a_temporary_folder_with_too_long_a_name(tmp_path: Path) -> None:
    folder = submission(tmp_path / "it", READY + "serve()")
    long = tmp_path / ("long" * 20)
    long.mkdir()
    done = assay("check", folder, "--only", CHECK, TMPDIR=str(long))
    assert done.returncode == 2
    assert "set TMPDIR to one of at most 60 characters" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:wrong@127.0.0.1:9/nothing",
        "mysql://root@127.0.0.1/db",
    ],
)
def test_a_database_that_cannot_be_used(tmp_path: Path, temporary: Path, url: str) -> None:
    folder = submission(tmp_path / "it", READY + "serve()")
    done = assay("check", folder, "--only", CHECK, TMPDIR=str(temporary), ASSAY_DATABASE_URL=url)
    assert done.returncode == 2
    assert done.stderr.startswith("assay: ")
    assert "ASSAY_DATABASE_URL" in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in temporary.iterdir()) == []
