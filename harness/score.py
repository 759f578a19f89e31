"""``assay score``: reads saved evidence against roles; starts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DONE, UsageError

if TYPE_CHECKING:
    from checks.evidence import Evidence


def score(path: Path, roles: tuple[str, ...], out: Path | None, *, as_json: bool) -> int:
    """Prints a scorecard a role, and writes the reports if asked to.

    In ``out``, earlier reports are replaced unless they are of the same evidence.
    """
    from harness.outcome import print_outcome, write_reports
    from harness.results import claim_beside, discard
    from scoring.role import load_role
    from scoring.scorecard import score as read_against

    evidence = read_evidence(path)
    scorecards = [read_against(evidence, load_role(role)) for role in roles]
    if out is not None:
        earlier = claim_beside(out, path)
        discard(earlier - write_reports(evidence, scorecards, out), out)
    print_outcome(evidence, scorecards, out, as_json=as_json)
    return DONE


def read_evidence(path: Path) -> Evidence:
    """The evidence in a file; raises ``UsageError`` for anything that is none."""
    from pydantic import ValidationError

    from checks.evidence import SCHEMA_VERSION, Evidence

    if path.is_dir():
        held = (path / "evidence.json").is_file()
        mend = "name the evidence.json in it" if held else "name an evidence.json"
        raise UsageError(f"{path} is a folder: {mend}.")
    try:
        data = path.read_bytes()
    except OSError as failure:
        raise UsageError(f"{path} cannot be read: {failure.strerror}.") from failure
    try:
        return Evidence.model_validate_json(data)
    except ValidationError as failure:
        raise UsageError(
            f"{path} is no evidence of version {SCHEMA_VERSION}, as 'assay grade' writes it."
        ) from failure
