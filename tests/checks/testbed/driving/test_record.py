"""The steps of a run stand in the order in which they happened."""

from __future__ import annotations

from typing import Any

from checks.testbed.driving.record import recorded
from checks.testbed.driving.schedule import Step


def kinds(*steps: tuple[float, str]) -> list[str]:
    notes = [Step.model_validate(note(at, kind)) for at, kind in steps]
    return [one.kind for one in recorded((), notes, 0.0)]


def note(at: float, kind: str) -> dict[str, Any]:
    return {"at": at, "thread": 0, "kind": kind}


def test_a_cut_comes_after_what_happened_in_the_same_moment() -> None:
    assert kinds((2.0, "answered"), (1.0, "cut"), (1.0, "call")) == ["call", "cut", "answered"]


def test_the_way_of_an_answer_is_no_wait() -> None:
    assert kinds((1.0, "idles"), (2.0, "answered")) == ["answered"]
    assert kinds((1.0, "idles"), (2.0, "call")) == ["idles", "call"]
