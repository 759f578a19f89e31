"""Runs semgrep's engine with our own rules over numbered copies of the source.

The engine (``semgrep-core``, shipped in the semgrep package) is called directly: it needs no
network, sends no metrics, asks no registry and looks for no newer version, and it starts in a tenth
of a second where the ``semgrep`` command takes several. ``# nosemgrep`` is ignored, as ``# nosec``
is.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from checks.static.limits import Limits, ScannerError, run_scanner
from checks.static.match import Match, Scan

RULES = Path(__file__).parent / "rules"

_SEVERITY: dict[str, Literal["high", "medium", "low"]] = {
    "ERROR": "high",
    "WARNING": "medium",
    "INFO": "low",
}
_RULE_SECONDS = 5
_RULE_FILE = "rules.json"


class RuleMetadata(BaseModel):
    """The part of a rule that is ours: the weaknesses it finds, by their CWE number."""

    model_config = ConfigDict(extra="forbid")

    cwe: tuple[int, ...]


class Rule(BaseModel):
    """A semgrep rule, as far as we read it ourselves; the patterns are the engine's business."""

    model_config = ConfigDict(extra="allow")

    id: str
    message: str
    severity: Literal["ERROR", "WARNING", "INFO"]
    languages: tuple[str, ...]
    metadata: RuleMetadata


class _Position(BaseModel):
    line: int


class _Result(BaseModel):
    check_id: str
    path: str
    start: _Position


class _Location(BaseModel):
    path: str = ""


class _Error(BaseModel):
    error_type: str | list[object]
    location: _Location = _Location()
    message: str = ""
    rule_id: str | None = None

    @property
    def kind(self) -> str:
        """The error's name, such as ``Timeout`` or ``PartialParsing``."""
        return self.error_type if isinstance(self.error_type, str) else str(self.error_type[0])


class _Paths(BaseModel):
    scanned: list[str]


class _Output(BaseModel):
    results: list[_Result]
    errors: list[_Error]
    paths: _Paths


@functools.cache
def rules() -> dict[str, Rule]:
    """Our rules by id; raises ``ValueError`` where two share one."""
    found: dict[str, Rule] = {}
    for file in sorted(RULES.glob("*.yaml")):
        for raw in yaml.safe_load(file.read_text(encoding="utf-8"))["rules"]:
            rule = Rule.model_validate(raw)
            if rule.id in found:
                raise ValueError(f"two semgrep rules are called {rule.id}")
            found[rule.id] = rule
    return found


def engine() -> Path:
    """The engine's binary; raises ``ScannerError`` where the semgrep package has none."""
    spec = importlib.util.find_spec("semgrep")
    if spec is not None and spec.origin is not None:
        binary = Path(spec.origin).parent / "bin" / "semgrep-core"
        if binary.is_file():
            return binary
    raise ScannerError("semgrep's engine is missing; install the semgrep package again.")


async def scan(folder: Path, names: Sequence[str], limits: Limits) -> Scan:
    """Scan the files ``names`` in ``folder``; raises ``ScannerError`` when there is no answer."""
    known = rules()
    text = json.dumps({"rules": [rule.model_dump(mode="json") for rule in known.values()]})
    (folder / _RULE_FILE).write_text(text, encoding="utf-8")
    argv = [
        *(str(engine()), "-lang", "python", "-rules", _RULE_FILE, "-json_nodots", "-fast"),
        *("-j", "1", "-timeout", str(_RULE_SECONDS), "-timeout_threshold", "2"),
        *("-max_memory", str((limits.memory >> 20) * 3 // 4), "-disable-nosem"),
        *names,
    ]
    output = await run_scanner("semgrep", argv, folder, limits, accept=frozenset({0}))
    try:
        read = _Output.model_validate_json(output)
    except ValidationError as error:
        raise ScannerError("semgrep's output could not be read.") from error
    matches = tuple(_match(known[result.check_id], result) for result in read.results)
    return Scan(matches, _unread(read, names))


def _match(rule: Rule, result: _Result) -> Match:
    return Match(
        tool="semgrep",
        rule=rule.id,
        severity=_SEVERITY[rule.severity],
        cwe=rule.metadata.cwe,
        name=Path(result.path).name,
        line=result.start.line,
        message=" ".join(rule.message.split()),
    )


def _unread(read: _Output, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Files with an error or without an answer; raises ``ScannerError`` for others."""
    unread: dict[str, str] = {}
    for error in read.errors:
        name = Path(error.location.path).name
        if name not in names:
            raise ScannerError(f"semgrep failed: {error.message[:200]}.")
        reason = "it took too long" if error.kind == "Timeout" else "it is not valid Python"
        unread.setdefault(name, "it needs too much memory" if "Memory" in error.kind else reason)
    scanned = {Path(path).name for path in read.paths.scanned}
    for name in names:
        if name not in scanned:
            unread.setdefault(name, "semgrep passed over it")
    return tuple(unread.items())
