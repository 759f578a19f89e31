"""Where the project's data lies: the one place that knows the repository's layout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: One folder an exercise, each with ``exercise.toml`` and ``brief.md``.
EXERCISES = ROOT / "exercises"

#: The payment service as it should be (one folder a track), its contract, and its flaws.
REFERENCE = ROOT / "reference"

#: What every implementation must do: ``CONTRACT.md`` and ``openapi.yaml``.
CONTRACT = REFERENCE / "contract"

#: One folder a flaw: ``flaw.toml``, ``lesson.md`` and a folder of patches a track.
FLAWS = REFERENCE / "flaws"

#: One folder a harmless change of a pull request: ``change.toml`` and a patch a track.
HARMLESS = REFERENCE / "harmless"


def service(track: str = "fastapi") -> Path:
    """The folder of a track's reference service."""
    return REFERENCE / track
