"""``assay hint``: one hint at a flaw, for whoever is stuck; nothing is started."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from checks.catalogue import catalogue
from exercises.bank import Flaw, load_bank
from exercises.exercise import load_exercise
from exercises.hints import hints
from exercises.kit import MANIFEST, read_kit
from exercises.tree import Tree, compose, reference_tree
from harness.errors import DONE, UsageError
from harness.names import ids, nearest, no_such
from harness.start import command


def hint(name: str, folder: Path, number: int) -> int:
    """Prints the hint of a number, from 1, at the flaw or the flaw of a check.

    In a kit's folder, where it stands is said of the service in that kit. Raises ``UsageError``.
    """
    flaw = load_bank().flaw(_flaw_of(name))
    flawed, mended = _trees(flaw, folder)
    told = hints(flaw, flawed, mended)
    if number > len(told):
        raise UsageError(f"There are {len(told)} hints, and then the lesson: assay learn {flaw.id}")
    console = Console(highlight=False)
    console.print(Text(f"Hint {number} of {len(told)}", "bold"))
    console.print(Markdown(told[number - 1]))
    more = f"hint {name} --number {number + 1}" if number < len(told) else f"learn {flaw.id}"
    console.print(Text(f"\nStill stuck? {command()} {more}", "dim"))
    return DONE


def _flaw_of(name: str) -> str:
    """The id of the flaw that is meant, by its own id or by a check's."""
    checks = {one.id: one.flaw for one in catalogue() if one.flaw is not None}
    known = {*ids("flaw"), *checks}
    if name not in known:
        listed = "'assay list flaws' shows the flaws."
        raise UsageError(no_such("flaw or check of one", name, nearest(name, known), listed))
    return checks.get(name, name)


def _trees(flaw: Flaw, folder: Path) -> tuple[Tree, Tree]:
    """The service with the flaw in it and without: as the kit of that folder, or by itself."""
    manifest = folder / MANIFEST
    kit = read_kit({MANIFEST: manifest.read_bytes()}) if manifest.is_file() else None
    if kit is None:
        reference = reference_tree()
        return compose(reference, [next(iter(flaw.inject.values())).patch()]), reference
    exercise = load_exercise(kit.exercise, load_bank(), seed=kit.seed)
    if exercise.kind == "review" or flaw.id not in exercise.flaws:
        raise UsageError(f"{flaw.id} is none of what {exercise.title} is about.")
    return exercise.starter(), exercise.tree({flaw.id: None})
