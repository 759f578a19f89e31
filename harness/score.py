"""``assay score``: reads saved evidence against roles; starts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DONE, UsageError

if TYPE_CHECKING:
    from checks.evidence import Evidence


def score(path: Path, roles: tuple[str, ...], out: Path | None, *, as_json: bool) -> int:
    """Prints a scorecard a role, and writes the reports if asked to."""
    from harness.outcome import print_outcome, write_reports
    from scoring.role import load_role
    from scoring.scorecard import score as read_against

    evidence = read_evidence(path)
    scorecards = [read_against(evidence, load_role(role)) for role in roles]
    if out is not None:
        write_reports(evidence, scorecards, out)
    print_outcome(evidence, scorecards, out, as_json=as_json)
    return DONE


def read_evidence(path: Path) -> Evidence:
    """The evidence in a file; raises ``UsageError`` for anything that is none."""
    from pydantic import ValidationError

    from checks.evidence import SCHEMA_VERSION, Evidence

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
