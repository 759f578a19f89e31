"""Reads a submission's Python source with bandit and semgrep, beside its starter's.

The findings are evidence beside the verdicts and decide nothing. The submission is never run, and
cannot configure or silence a scanner (see ``source``). A scanner that crashes or times out on a set
of files is run again on its halves, so that one hostile file cannot hide the others; what stays
unread is named in ``failures``.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from checks.evidence import Finding, StaticReport
from checks.static import bandit, semgrep
from checks.static.limits import Limits, ScannerError
from checks.static.match import Match, Scan
from checks.static.source import Sources, gather, printable

Scanner = Callable[[Path, Sequence[str], Limits], Awaitable[Scan]]

SCANNERS: dict[str, Scanner] = {"bandit": bandit.scan, "semgrep": semgrep.scan}
TOTAL_SECONDS = 60.0
RUNS = 24
FINDINGS = 500
FAILURES = 20

_EXCERPT_LINES = 3
_EXCERPT = 400
_MESSAGE = 400
_RANK = {"high": 0, "medium": 1, "low": 2}
_Side = Literal["submission", "starter"]


async def scan(folder: Path, starter: Path | None) -> StaticReport:
    """The scanners' findings in ``folder``, those that its ``starter`` has too being marked.

    Findings are ordered by severity, then place. Nothing a folder holds raises an exception: what
    could not be read is named in ``failures``.
    """
    began = time.monotonic()
    ours, theirs = await asyncio.gather(_gather(folder), _gather(starter))
    failures = list(ours.unread)
    if not ours.files:
        failures.append(
            "The submission has no Python source outside its tests; nothing was scanned."
        )
    copies = _Copies.of(ours, theirs)
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="assay-static-", ignore_cleanup_errors=True) as name:
        private = Path(name)
        await asyncio.to_thread(copies.write, private)
        for scanner in SCANNERS:
            matches, unread = await _search(scanner, private, copies, began + TOTAL_SECONDS)
            findings += copies.findings(matches)
            failures += unread
    return StaticReport(
        findings=_bounded_findings(findings, failures),
        failures=_bounded(failures),
        seconds=round(time.monotonic() - began, 3),
    )


async def _gather(folder: Path | None) -> Sources:
    if folder is None:
        return Sources((), ())
    return await asyncio.to_thread(gather, folder)


@dataclass(frozen=True, slots=True)
class _Copies:
    """Distinct texts by the name of their copy, and where in submission and starter each stands."""

    texts: dict[str, str]
    places: dict[str, tuple[tuple[_Side, str], ...]]

    @classmethod
    def of(cls, submission: Sources, starter: Sources) -> _Copies:
        places: dict[str, list[tuple[_Side, str]]] = {}
        sides: tuple[tuple[_Side, Sources], ...] = (
            ("submission", submission),
            ("starter", starter),
        )
        for side, sources in sides:
            for file in sources.files:
                places.setdefault(file.text, []).append((side, file.path))
        names = {f"{index:05}.py": text for index, text in enumerate(places)}
        return cls(names, {name: tuple(places[text]) for name, text in names.items()})

    def write(self, folder: Path) -> None:
        """Write the copies into the private folder."""
        for name, text in self.texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")

    def handed_in(self, name: str) -> tuple[str, ...]:
        """Where a copy's text stands in the submission, fit for a report."""
        return tuple(printable(p) for side, p in self.places[name] if side == "submission")

    def findings(self, matches: Iterable[Match]) -> list[Finding]:
        """The matches in the submission; each finding of the starter excuses one like it."""
        known: Counter[tuple[str, str, str]] = Counter()
        found: list[tuple[str, Match]] = []
        for match in dict.fromkeys(matches):
            for side, path in self.places[match.name]:
                if side == "starter":
                    known[match.rule, path, self._line(match)] += 1
                else:
                    found.append((path, match))
        findings = []
        for path, match in sorted(found, key=lambda item: (item[0], item[1].line, item[1].rule)):
            key = (match.rule, path, self._line(match))
            known[key] -= 1
            findings.append(self._finding(path, match, in_starter=known[key] >= 0))
        return findings

    def _line(self, match: Match) -> str:
        """The matched line without its spacing, by which findings of two versions are paired."""
        lines = self.texts[match.name].split("\n")
        return " ".join(lines[match.line - 1].split()) if 0 < match.line <= len(lines) else ""

    def _finding(self, path: str, match: Match, *, in_starter: bool) -> Finding:
        first = max(match.line - 1, 0)
        lines = self.texts[match.name].split("\n")[first : first + _EXCERPT_LINES]
        return Finding(
            tool=match.tool,
            rule=match.rule,
            severity=match.severity,
            cwe=match.cwe,
            path=printable(path),
            line=match.line,
            message=match.message[:_MESSAGE],
            excerpt="\n".join(lines)[:_EXCERPT],
            in_starter=in_starter,
        )


async def _search(
    scanner: str, folder: Path, copies: _Copies, deadline: float
) -> tuple[list[Match], list[str]]:
    """One scanner over all copies: its matches, and a sentence for every file it could not read."""
    matches: list[Match] = []
    failures: list[str] = []
    pending: list[tuple[str, ...]] = [tuple(copies.texts)] if copies.texts else []
    runs = 0
    while pending:
        names = pending.pop()
        left = deadline - time.monotonic()
        runs += 1
        if left <= 0 or runs > RUNS:
            failures.append(f"{scanner} was given up; {len(names)} files were not scanned.")
            continue
        limits = replace(Limits(), seconds=min(Limits().seconds, left))
        try:
            done = await SCANNERS[scanner](folder, names, limits)
        except ScannerError as error:
            if len(names) == 1:
                failures += [f"{path}: {error}" for path in copies.handed_in(names[0])]
            else:
                failures.append(str(error))
                middle = len(names) // 2
                pending += [names[middle:], names[:middle]]
            continue
        matches += done.matches
        for name, reason in done.unread:
            failures += [f"{scanner} did not read {p}: {reason}." for p in copies.handed_in(name)]
    return matches, failures


def _bounded_findings(findings: list[Finding], failures: list[str]) -> tuple[Finding, ...]:
    """The gravest first, and not more than a report can bear; says so where some are left out."""
    ordered = sorted(findings, key=lambda f: (_RANK[f.severity], f.path, f.line, f.tool, f.rule))
    if len(ordered) > FINDINGS:
        failures.append(f"{len(ordered)} findings were made; the first {FINDINGS} are listed.")
    return tuple(ordered[:FINDINGS])


def _bounded(failures: list[str]) -> tuple[str, ...]:
    kept = list(dict.fromkeys(failures))
    if len(kept) > FAILURES:
        rest = len(kept) - FAILURES
        kept = [*kept[:FAILURES], f"And {rest} more of the kind."]
    return tuple(kept)
