"""Which of the real exercises are repairs, and which are reviews."""

from __future__ import annotations

import tomllib

from exercises import places
from exercises.exercise import exercise_ids


def _kind(name: str) -> str:
    manifest = (places.EXERCISES / name / "exercise.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(manifest)["kind"])


REPAIRS = tuple(name for name in exercise_ids() if _kind(name) == "repair")
REVIEWS = tuple(name for name in exercise_ids() if _kind(name) == "review")
