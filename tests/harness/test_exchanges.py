"""Probes on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from checks.evidence import Probe, ScheduleStep
from harness.exchanges import print_probe


def printed(probe: Probe) -> str:
    out = io.StringIO()
    print_probe(probe, Console(file=out, width=200, highlight=False, markup=False))
    return out.getvalue()


def test_a_schedule_is_told_with_its_statements() -> None:
    steps = (
        ScheduleStep(at=0.0, lane="request 1", what="finds balance = 100", sql="SELECT 1 " * 40),
        ScheduleStep(at=0.5, lane="request 2", what="changes 1 row", sql="UPDATE a", moment=True),
        ScheduleStep(at=0.75, lane="request 2", what="answered 201"),
    )
    lines = printed(Probe(id="concurrency/x#1", title="a race", schedule=steps)).splitlines()
    assert lines[1] == "a race  concurrency/x#1"
    assert lines[2].startswith("    0.000 s  request 1: finds balance = 100  SELECT 1 SELECT 1")
    assert lines[2].endswith("…")
    assert lines[3] == "    0.500 s  request 2: changes 1 row  UPDATE a"
    assert lines[4] == "    0.750 s  request 2: answered 201"


def test_what_a_submission_says_stays_on_its_line() -> None:
    steps = (ScheduleStep(at=0.0, lane="request 1", what="x", sql="SELECT \x1b[2J"),)
    assert "\x1b" not in printed(Probe(id="concurrency/x#1", title="a race", schedule=steps))
