"""``assay replay``: one probe's check again, with the seed of the evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from checks.catalogue import select
from checks.evidence import CheckVerdict, Evidence, Verdict
from checks.testbed.errors import SubmissionError
from checks.testbed.testbed import Host
from exercises.tree import Tree
from harness.errors import DONE, UsageError
from harness.exchanges import print_verdict
from harness.loop import run
from harness.names import nearest
from harness.progress import Progress
from harness.score import read_evidence
from harness.session import checking, prepared, session
from harness.submission import take_in


def replay(path: Path, probe: str, submission: Path, *, trusted: bool, as_json: bool) -> int:
    """Runs the check of a probe (named by the probe's id or the check's) and compares.

    Where a schedule was driven in the probe, or in the one that decided, exactly that is driven.
    """
    evidence = read_evidence(path)
    recorded = find(evidence, probe)
    try:
        names = select(checks=[recorded.check], contract=False)
    except KeyError:
        raise UsageError(
            f"{recorded.check} was recorded, but this version of assay has no such check."
        ) from None
    taken = take_in(submission)
    seed = recorded.seed or evidence.seed
    drive = driven(recorded, probe)
    what = "the recorded schedule of " if drive else ""
    with Progress() as progress, progress.stage(f"running {what}{recorded.check}, seed {seed}"):
        again = run(_run(taken.tree, recorded, names, seed, drive, trusted=trusted))
    same = again.verdict is recorded.verdict
    if as_json:
        both = {"recorded": recorded, "replayed": again}
        found = {name: one.model_dump(mode="json") for name, one in both.items()}
        json.dump({"same": same, **found}, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return DONE
    console = Console(highlight=False, markup=False)
    changed = "" if taken.digest == evidence.submission.digest else " (the submission has changed)"
    console.print(Text(f"Recorded{changed}", "bold underline"))
    print_verdict(recorded, console)
    console.print(Text("\nReplayed", "bold underline"))
    print_verdict(again, console)
    console.print(Text(f"\nThe verdict is {'the same' if same else 'another'}.", "bold"))
    return DONE


def find(evidence: Evidence, name: str) -> CheckVerdict:
    """The verdict that a probe's id, or a check's, belongs to; raises ``UsageError``."""
    for verdict in evidence.verdicts:
        if name == verdict.check or any(probe.id == name for probe in verdict.probes):
            return verdict
    ids = [probe.id for one in evidence.verdicts for probe in one.probes]
    example = nearest(name, ids) or next(iter(ids), None)
    raise UsageError(
        f"The evidence holds no probe or check {name!r}: a probe's id reads family/check#n, "
        + (f"as the report shows it, such as {example!r}." if ids else "and it holds none.")
    )


def driven(recorded: CheckVerdict, probe: str) -> str:
    """The schedule of the probe of that id, or of the decisive one; empty where there is none."""
    named = (one for one in recorded.probes if one.id == probe)
    decisive = (one for one in recorded.probes if one.decisive)
    found = next(named, None) or next(decisive, None)
    return found.drive if found is not None else ""


async def _run(
    tree: Tree,
    recorded: CheckVerdict,
    names: tuple[str, ...],
    seed: int,
    drive: str,
    *,
    trusted: bool,
) -> CheckVerdict:
    try:
        async with (
            checking(names, seed, drive) as check,
            Host.open(trusted=trusted) as host,
            prepared(host, tree) as submission,
            session(submission) as running,
        ):
            found = [one async for one in check(running)]
    except SubmissionError as failure:
        return recorded.model_copy(
            update={"verdict": Verdict.BROKEN, "because": str(failure), "probes": (), "hint": ""}
        )
    return next(one for one in found if one.check == recorded.check)
