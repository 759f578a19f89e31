"""``assay start``: writes a candidate's kit."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from exercises.bank import load_bank
from exercises.exercise import load_exercise, require_exercise
from exercises.kit import write_kit
from harness.errors import DONE
from harness.version import assay_version


def start(name: str, folder: Path, seed: int) -> int:
    """Writes the kit of an exercise; raises ``UnknownExerciseError`` or ``KitError``."""
    require_exercise(name)
    exercise = load_exercise(name, load_bank())
    write_kit(exercise, folder, seed, assay_version())
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{exercise.title}: {exercise.minutes} minutes. Your kit is in {folder}.")
    console.print(f"Begin with {folder / 'BRIEF.md'}; then, in that folder: assay check --watch")
    return DONE
