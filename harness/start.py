"""``assay start``: writes a candidate's kit."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console

from exercises.bank import load_bank
from exercises.canary import Handed, sealed
from exercises.exercise import load_exercise, require_exercise
from exercises.kit import write_kit
from harness.canary_key import require_key
from harness.errors import DONE
from harness.version import assay_version


def start(name: str, folder: Path, seed: int, to: str) -> int:
    """Writes the kit of an exercise, in the form of a seed, that is handed ``to`` somebody.

    Raises ``UnknownExerciseError``, ``KitError`` or ``UsageError``.
    """
    require_exercise(name)
    exercise = load_exercise(name, load_bank(), seed=seed)
    canary = sealed(Handed(exercise=name, seed=seed, to=to), require_key())
    write_kit(exercise, folder, assay_version(), canary)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{exercise.title}: {exercise.minutes} minutes. Your kit is in {folder}.")
    brief = folder / "BRIEF.md"
    then = "review" if exercise.kind == "review" else "check --watch"
    console.print(f"Begin with {brief}; then, in that folder: {command()} {then}")
    return DONE


def command() -> str:
    """How to call assay from any folder, as it was called now."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":  # python -m harness
        return shlex.join([sys.executable, "-m", "harness"])
    found = shutil.which("assay")
    if found is not None and Path(found).resolve() == called.resolve():
        return "assay"
    return shlex.quote(str(called.absolute()))
