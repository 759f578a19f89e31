"""Services with bad manners: each ends within its bound, in a verdict or in a reason for none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.explore.exploring import explored

SPEC = "hostile/changes.toml"

#: Habits that do not keep a verdict from being reached.
HARMLESS = [
    "open_transaction",
    "many_connections",
    "listens",
    "copies",
    "large_results",
    "reconnects",
    "asks",
]

#: Timeouts of the service's own may keep a schedule from being driven, never decide one.
TIMEOUTS = ["lock_timeout", "statement_timeout", "idle_timeout"]


@pytest.mark.parametrize("habit", HARMLESS)
@pytest.mark.parametrize(("variant", "verdict"), [("racy", "race"), ("locked", "no race")])
def test_a_habit_keeps_nobody_from_a_verdict(
    tmp_path: Path, habit: str, variant: str, verdict: str
) -> None:
    _, found, said = explored(tmp_path, SPEC, HABIT=habit, VARIANT=variant)
    assert found.get("verdict") == verdict, said


@pytest.mark.parametrize("habit", TIMEOUTS)
def test_a_timeout_of_its_own_is_no_race(tmp_path: Path, habit: str) -> None:
    status, found, said = explored(tmp_path, SPEC, HABIT=habit, VARIANT="locked")
    assert found.get("verdict") in ("no race", "inconclusive"), said
    if found["verdict"] == "inconclusive":
        assert status == 1
        assert found["because"]


def test_a_lock_that_is_not_waited_for_is_counted_as_not_driven(tmp_path: Path) -> None:
    _, found, said = explored(tmp_path, SPEC, HABIT="lock_timeout", VARIANT="locked")
    assert found["figures"]["driven"] == 0, said
    assert any("lock timeout" in why for why in found["figures"]["undriven"])
    assert "None of" in found["because"]


@pytest.mark.parametrize(
    ("habit", "because"),
    [
        ("no_statement", "Request 1 sent no SQL through the proxy"),
        ("never_ends", "Nothing moved for 5 s; still under way: request 1"),
        ("dies", "got no answer"),
    ],
)
def test_what_cannot_be_explored_is_inconclusive(tmp_path: Path, habit: str, because: str) -> None:
    status, found, said = explored(tmp_path, SPEC, HABIT=habit, VARIANT="racy")
    assert (status, found.get("verdict")) == (1, "inconclusive"), said
    assert because in found["because"]
    assert found["decisive"] is None
