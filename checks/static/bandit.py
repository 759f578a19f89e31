"""Runs bandit over numbered copies of the source and reads its findings.

``# nosec`` is ignored (``--ignore-nosec``): who hands in the code does not decide what is seen in
it. Tests of bandit's that our own semgrep rules do better, or that say nothing about a service, are
left out, so that one fault is reported once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from checks.static.limits import Limits, ScannerError, run_scanner
from checks.static.match import Match, Scan

#: bandit's test -> why it is left out: the rule of ours that replaces it, or what is wrong with it.
REPLACED = {
    "B101": "an assert in a service is a matter of style",
    "B110": "exception-swallowed",
    "B112": "exception-swallowed",
    "B113": "outside-call-without-timeout",
    "B201": "debug-mode",
    "B202": "archive-extracted-unchecked",
    "B301": "unsafe-deserialisation",
    "B302": "unsafe-deserialisation",
    "B307": "code-from-text",
    "B102": "code-from-text",
    "B311": "random-for-secret; jitter is a right use of it",
    "B324": "weak-hash",
    "B403": "an import alone does no harm",
    "B404": "an import alone does no harm",
    "B501": "tls-verification-off",
    "B506": "unsafe-deserialisation",
    "B602": "shell-command",
    "B605": "shell-command",
    "B608": "sql-from-text",
}


class _Weakness(BaseModel):
    id: int


class _Issue(BaseModel):
    filename: str
    test_id: str
    issue_text: str
    issue_severity: str
    issue_cwe: _Weakness | dict[str, None] = {}
    line_number: int


class _Skipped(BaseModel):
    filename: str
    reason: str


class _Output(BaseModel):
    results: list[_Issue]
    errors: list[_Skipped]


async def scan(folder: Path, names: Sequence[str], limits: Limits) -> Scan:
    """Scan the files ``names`` in ``folder``; raises ``ScannerError`` when there is no answer."""
    argv = [
        *(sys.executable, "-I", "-m", "bandit", "--quiet", "--ignore-nosec", "--exit-zero"),
        *("--format", "json", "--number", "0", "--skip", ",".join(sorted(REPLACED))),
        *names,
    ]
    output = await run_scanner("bandit", argv, folder, limits, accept=frozenset({0}))
    try:
        read = _Output.model_validate_json(output)
    except ValidationError as error:
        raise ScannerError("bandit's output could not be read.") from error
    matches = tuple(_match(issue) for issue in read.results)
    unread = tuple((Path(item.filename).name, item.reason) for item in read.errors)
    return Scan(matches, unread)


def _match(issue: _Issue) -> Match:
    severity = issue.issue_severity.lower()
    return Match(
        tool="bandit",
        rule=issue.test_id,
        severity=severity if severity in ("high", "medium") else "low",  # type: ignore[arg-type]
        cwe=(issue.issue_cwe.id,) if isinstance(issue.issue_cwe, _Weakness) else (),
        name=Path(issue.filename).name,
        line=issue.line_number,
        message=issue.issue_text,
    )
