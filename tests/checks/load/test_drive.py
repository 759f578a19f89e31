import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checks.load.drive import drive
from checks.load.profile import PROFILES, Profile, Results, Target

STANDIN = Path(__file__).with_name("standin.py")
SHORT = Profile("quick", users=4, warm_up=0.2, slice=0.3, pairs=2)

Start = Callable[[str], Target]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts stand-in services by mode, and ends them."""
    running: list[subprocess.Popen[str]] = []

    def begin(mode: str) -> Target:
        process = subprocess.Popen(
            [sys.executable, str(STANDIN), mode], stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return Target(replicas=(f"http://127.0.0.1:{port}",), admin_token="admin")

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "quick", SHORT)


async def test_two_alike_are_compared_without_an_error(start: Start, tmp_path: Path) -> None:
    report = await drive(start("good"), start("good"), "quick", 7, tmp_path)
    assert report.failure is None
    for side in (report.submission, report.reference):
        assert side.errors == 0, side.problems
        assert side.problems == ()
        assert len(side.slices) == SHORT.pairs
        assert 0 < side.p50 <= side.p95 <= side.p99
    assert 0.4 < report.ratio < 2.5
    raw = Results.model_validate_json((tmp_path / "samples.json").read_bytes())
    assert {s.operation for s in raw.samples} == {
        *("transfer", "payment", "refund", "retry", "list", "account")
    }
    assert "admin" not in (tmp_path / "samples.json").read_text()


async def test_a_slow_service_shows_in_ratio_and_percentiles(start: Start) -> None:
    report = await drive(start("slow"), start("good"), "quick", 7)
    assert report.ratio < 0.7
    assert report.submission.p95 > 100
    assert report.submission.errors == 0, report.submission.problems


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("busy", "transfer: 503"),
        ("forgetful", "retry: a repeat had another effect"),
        ("loses-money", "a balance differs from what was moved"),
        ("redirects", "transfer: 307"),
        ("huge", "transfer: a body of more than 256 KiB"),
        ("huge-error", "transfer: a body of more than 256 KiB"),
        ("endless", "transfer: a body of more than 256 KiB"),
        ("garbles", "transfer: the answer lacks what the contract asks for"),
    ],
)
async def test_what_the_contract_does_not_allow_is_an_error(
    mode: str, problem: str, start: Start
) -> None:
    report = await drive(start(mode), start("good"), "quick", 7)
    assert report.submission.errors > 0
    assert any(problem in text for text in report.submission.problems)
    assert report.reference.problems == ()


@pytest.mark.parametrize("mode", ["hangs", "drips"])
async def test_a_service_that_hangs_costs_bounded_time(mode: str, start: Start) -> None:
    began = time.monotonic()
    report = await drive(start(mode), start("good"), "quick", 7)
    assert time.monotonic() - began < 45
    assert any("timed out" in text for text in report.submission.problems)


async def test_a_service_that_cannot_be_prepared_is_named(start: Start) -> None:
    report = await drive(start("dead"), start("good"), "quick", 7)
    assert report.failure == "The load could not be prepared on the submission: 500 internal."


async def test_a_service_that_is_not_there_is_named(start: Start) -> None:
    nobody = Target(replicas=("http://127.0.0.1:9",), admin_token="admin")
    report = await drive(nobody, start("good"), "quick", 7)
    assert report.failure is not None
    assert "could not be prepared on the submission" in report.failure
