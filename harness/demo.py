"""``assay demo``: three submissions of one exercise, graded and set side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from checks.catalogue import catalogue
from checks.testbed.testbed import Host
from exercises.bank import Bank, Variant, load_bank
from exercises.exercise import Exercise, load_exercise
from exercises.tree import write_tree
from harness.errors import DONE
from harness.facts import agree
from harness.grade import Grading, evaluate
from harness.loop import run
from harness.outcome import write_result
from harness.progress import Progress
from harness.results import SUBMISSION, Files, claim_each, discard
from harness.submission import Submission, digest
from reports.terminal import Graded, comparison
from scoring.competencies import competencies
from scoring.role import load_role
from scoring.scorecard import score

EXERCISE = "full-service"
ROLES = ("somnio", "techflow")
#: The same each time, so that two demos can be compared.
SEED = 7


def demo(out: Path) -> int:
    """Writes ``out/starter``, ``out/partial`` and ``out/repaired``, and prints one table.

    Each replaces what an earlier demo left there once it is graded.
    """
    bank = load_bank()
    agree(bank, catalogue(), competencies())
    exercise = load_exercise(EXERCISE, bank)
    chosen = submissions(bank, exercise)
    earlier = claim_each(out, tuple(chosen))
    with Progress() as progress:
        graded = run(_grade_all(bank, exercise, out, earlier, progress))
    Console(highlight=False, markup=False).print(comparison(graded))
    return DONE


def submissions(bank: Bank, exercise: Exercise) -> dict[str, Mapping[str, Variant]]:
    """What each submission holds instead of the seeded code, by flaw.

    The partial repair takes a fix and a decoy in turn; the full one takes other fixes than the
    reference's own throughout.
    """
    partial: dict[str, Variant] = {}
    repaired: dict[str, Variant] = {}
    for place, name in enumerate(exercise.flaws):
        flaw = bank.flaw(name)
        fixes = list(flaw.fixes.values())
        decoys = [one for one in flaw.decoys.values() if not one.breaks]
        repaired[name] = fixes[0]
        partial[name] = decoys[0] if place % 2 and decoys else fixes[-1]
    return {"starter": {}, "partial": partial, "repaired": repaired}


async def _grade_all(
    bank: Bank, exercise: Exercise, out: Path, earlier: Mapping[str, Files], progress: Progress
) -> list[Graded]:
    graded: list[Graded] = []
    roles = [load_role(name) for name in ROLES]
    async with Host.open(trusted=True) as host:
        for name, chosen in submissions(bank, exercise).items():
            folder = out / name
            tree = exercise.tree(dict(chosen))
            progress.line(f"\n{name}")
            submission = Submission(name, tree, digest(tree))
            grading = Grading(submission, exercise, bank, SEED, "quick")
            evidence = await evaluate(host, grading, progress)
            cards = tuple(score(evidence, role) for role in roles)
            write_tree(tree, folder / SUBMISSION)
            written = write_result(evidence, cards, folder)
            written |= {folder / SUBMISSION / path for path in tree}
            discard(earlier[name] - written, folder)
            places = {role: str(folder / role / "report.html") for role in ROLES}
            graded.append(Graded(evidence, cards, places))
    return graded
