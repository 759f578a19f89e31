"""What a grading saw: the one model that travels from checks to scoring and reports.

Everything a report shows is in here, so that saved evidence can be scored against another role, or
rendered again, without a database, a process or the flaw bank. This module imports nothing else of
assay's.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError

SCHEMA_VERSION: Final = 1

Severity = Literal["critical", "high", "medium", "low"]


class Model(BaseModel):
    """Base of the evidence's parts: immutable, and strict about unknown members."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """The model as JSON text.

        A lone surrogate, which a submission may well send, has no UTF-8 and becomes ``?``.
        """
        try:
            return self.model_dump_json(by_alias=True, indent=1)
        except PydanticSerializationError:
            plain = self.model_dump(mode="json", by_alias=True)
            text = json.dumps(plain, ensure_ascii=False, indent=1)
            return text.encode("utf-8", "replace").decode("utf-8")


class Verdict(StrEnum):
    """The answer of a check; the vocabulary of the architecture page."""

    SECURE = "secure"
    VULNERABLE = "vulnerable"
    BROKEN = "broken"
    NOT_REACHED = "not reached"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


#: A flaw's verdict is the first of these that any of its checks gave.
PRECEDENCE: tuple[Verdict, ...] = (
    Verdict.ERROR,
    Verdict.VULNERABLE,
    Verdict.BROKEN,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_REACHED,
    Verdict.SECURE,
)


class Message(Model):
    """One HTTP request or response as it stood on the wire; long bodies are cut and say so."""

    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    truncated: bool = False


class Exchange(Model):
    """One request to the submission and what came back.

    ``at`` is in seconds since the probe began; ``seconds`` is how long the answer took. ``status``
    is ``None`` where no answer came, and ``failure`` then says what happened instead.
    """

    at: float
    seconds: float
    actor: str
    replica: int
    method: str
    url: str
    request: Message
    status: int | None
    response: Message | None
    failure: str | None = None


class JournalEntry(Model):
    """One request that a simulator received, and what it did and answered.

    ``status`` is ``None`` where it hung or dropped the connection. ``effect`` says whether the
    simulator carried the operation out (charged the card), whatever it answered. ``at`` is in
    seconds since the probe began, and negative for what was asked before. ``headers`` are kept
    where they are part of what is said; ``address`` where there are several, with the
    ``server_name`` that TLS asked for.
    """

    at: float
    simulator: str
    method: str
    path: str
    key: str | None
    body: str
    fault: str | None
    effect: bool
    status: int | None
    answer: str
    headers: tuple[tuple[str, str], ...] = ()
    address: str = ""
    server_name: str | None = None


class ScheduleStep(Model):
    """One event of an interleaving: which request (lane) did what, in the order of the list.

    ``moment`` marks the one in which it goes wrong, where that can be told; ``cut`` the one in
    which the power was cut.
    """

    at: float
    lane: str
    what: str
    sql: str | None = None
    moment: bool = False
    cut: bool = False


class Probe(Model):
    """One attempt of a check: its requests, responses, interleaving and simulator journal.

    ``decisive`` if the check's verdict was reached in it; where all is secure, none is. ``drive``
    is the schedule that was driven in it, as text by which ``replay`` drives the very same again.
    """

    id: str
    title: str
    exchanges: tuple[Exchange, ...] = ()
    schedule: tuple[ScheduleStep, ...] = ()
    journal: tuple[JournalEntry, ...] = ()
    notes: tuple[str, ...] = ()
    decisive: bool = False
    drive: str = ""


class CheckVerdict(Model):
    """What one check decided about one flaw, or about the contract when ``flaw`` is ``None``.

    ``summary`` is the rule the check asserts (its docstring's first line); ``because`` says what
    was seen, for the record; ``hint`` is for the person who mends it. ``blocked_by`` names the
    broken check behind a ``not reached``, if one is behind it.
    """

    check: str
    flaw: str | None
    verdict: Verdict
    summary: str
    because: str = ""
    hint: str = ""
    blocked_by: str | None = None
    competencies: tuple[str, ...] = ()
    seed: int = 0
    seconds: float = 0.0
    probes: tuple[Probe, ...] = ()


class Lesson(Model):
    """A flaw's lesson, by section, as Markdown."""

    wrong: str
    why: str
    incident: str = ""
    fix: str
    trade_offs: str = ""
    questions: str = ""


class FlawFacts(Model):
    """What the report says of a flaw without asking the bank.

    ``untried`` are sentences about what its checks leave out; ``difference`` is a unified diff.
    """

    id: str
    title: str
    family: str
    severity: Severity
    cwe: tuple[int, ...]
    owasp: tuple[str, ...] = ()
    competencies: tuple[str, ...]
    minutes: int
    checks: tuple[str, ...]
    lesson: Lesson
    untried: tuple[str, ...] = ()
    difference: str = ""


class Finding(Model):
    """One finding of a source scanner; ``path`` is relative to the submission."""

    tool: Literal["bandit", "semgrep"]
    rule: str
    severity: Literal["high", "medium", "low"]
    cwe: tuple[int, ...] = ()
    path: str
    line: int
    message: str
    excerpt: str = ""
    in_starter: bool = False


class StaticReport(Model):
    """What the source scanners said; ``failure`` says why one gave no answer."""

    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()
    seconds: float = 0.0


class LoadSide(Model):
    """Load figures of one service. Times in milliseconds, rates per second.

    ``slices`` is the throughput of each counted slice; ``problems`` says what was wrong with
    answers, the most frequent first.
    """

    requests: int
    errors: int
    throughput: float
    p50: float
    p95: float
    p99: float
    slices: tuple[float, ...] = ()
    problems: tuple[str, ...] = ()


class LoadReport(Model):
    """A mixed load, driven in alternate slices of one run against submission and reference.

    ``ratio`` is the submission's throughput over the reference's, the median of pairs of slices.
    """

    profile: Literal["quick", "full"]
    users: int
    submission: LoadSide
    reference: LoadSide
    ratio: float
    failure: str | None = None


class LogTail(Model):
    """The end of what one process of the submission printed."""

    source: str
    text: str
    truncated: bool = False


class Isolation(Model):
    """How the submission was confined: ``landlock``, ``bubblewrap`` or ``none`` (``--trusted``)."""

    mechanism: Literal["landlock", "bubblewrap", "none"]
    other_user: bool
    network: bool
    notes: tuple[str, ...] = ()


class ExerciseFacts(Model):
    """Which exercise was graded; ``form`` is the seed of the equivalent form handed out."""

    id: str
    title: str
    kind: Literal["repair", "review", "tests"]
    minutes: int
    track: str
    form: int = 0


class SubmissionFacts(Model):
    """What was handed in, by content: ``digest`` is the SHA-256 of its files; ``diff`` is against
    the starter of the exercise.
    """

    name: str
    digest: str
    files: int
    diff: str = ""
    diff_truncated: bool = False


class ServiceState(Model):
    """Whether the submission ran: ``failure`` is one sentence where it did not start, or run on."""

    started: bool
    failure: str | None = None
    stage: Literal["environment", "build", "migrate", "start", "ready", "running"] = "running"


class Evidence(Model):
    """All verdicts and probes of one grading, with versions and seed: ``evidence.json``."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = SCHEMA_VERSION
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    exercise: str
    exercise_facts: ExerciseFacts
    submission: SubmissionFacts
    seed: int
    started: datetime
    seconds: float
    versions: dict[str, str]
    isolation: Isolation
    service: ServiceState
    flaws: tuple[FlawFacts, ...]
    verdicts: tuple[CheckVerdict, ...]
    static: StaticReport | None = None
    load: LoadReport | None = None
    logs: tuple[LogTail, ...] = ()

    def flaw_verdict(self, flaw: str) -> Verdict:
        """The verdict on a flaw: the first of ``PRECEDENCE`` that any of its checks gave.

        Raises ``KeyError`` when no check spoke about it.
        """
        given = {verdict.verdict for verdict in self.verdicts if verdict.flaw == flaw}
        if not given:
            raise KeyError(flaw)
        return next(verdict for verdict in PRECEDENCE if verdict in given)

    def blocking(self) -> tuple[CheckVerdict, ...]:
        """The verdicts that block a score: errors and inconclusives."""
        stops = (Verdict.ERROR, Verdict.INCONCLUSIVE)
        return tuple(verdict for verdict in self.verdicts if verdict.verdict in stops)
