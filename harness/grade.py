"""``assay grade``: from a submission to evidence, scorecards and reports."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from checks.catalogue import catalogue, select
from checks.evidence import (
    CheckVerdict,
    Evidence,
    FlawFacts,
    LoadReport,
    LogTail,
    ServiceState,
    StaticReport,
    SubmissionFacts,
)
from checks.static.scan import scan
from checks.testbed.errors import SubmissionError
from checks.testbed.testbed import Host
from checks.testbed.testbed import Submission as Prepared
from exercises.bank import Bank, load_bank
from exercises.canary import opened
from exercises.exercise import Exercise, load_exercise, require_exercise
from exercises.tree import write_tree
from harness import endings, facts
from harness.canary_key import read_key
from harness.errors import DONE
from harness.load import compare
from harness.loop import run
from harness.outcome import print_outcome, write_result
from harness.progress import Progress, verdict_line
from harness.results import claim, discard
from harness.session import Check, checking, fresh_seed, prepared, session
from harness.standing import grade_review
from harness.submission import Submission, take_in
from harness.version import versions
from scoring.competencies import competencies
from scoring.role import load_role, role_ids
from scoring.scorecard import score

Load = Literal["off", "quick", "full"]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of ``assay grade``; without a ``form`` what the kit says counts."""

    submission: Path
    exercise: str
    form: int | None
    roles: tuple[str, ...]
    out: Path
    seed: int | None
    load: Load
    trusted: bool


@dataclass(frozen=True, slots=True)
class Grading:
    """A submission to be graded; everything that can be looked up has been."""

    submission: Submission
    exercise: Exercise
    bank: Bank
    seed: int
    load: Load

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks to run: all of the contract, and those of the exercise's flaws."""
        return select(flaws=tuple(self.exercise.flaws))


@dataclass(slots=True)
class _Seen:
    """What a grading has found so far."""

    verdicts: list[CheckVerdict] = field(default_factory=list)
    service: ServiceState = field(default_factory=lambda: ServiceState(started=True))
    logs: tuple[LogTail, ...] = ()
    load: LoadReport | None = None


def grade(request: Request, *, as_json: bool) -> int:
    """Grades, and writes everything into ``request.out``; the grade itself is no failure.

    An earlier result there stays until this one is whole.
    """
    require_exercise(request.exercise)
    roles = [load_role(name) for name in request.roles or role_ids()]
    submission = take_in(request.submission)
    bank = load_bank()
    exercise = load_exercise(request.exercise, bank, seed=form_of(request, submission))
    if exercise.kind == "review":
        return grade_review(submission, exercise, bank, request.out, as_json=as_json)
    grading = Grading(
        submission=submission,
        exercise=exercise,
        bank=bank,
        seed=fresh_seed() if request.seed is None else request.seed,
        load=request.load,
    )
    facts.agree(bank, catalogue(), competencies())
    earlier = claim(request.out)
    with Progress() as progress:
        evidence = run(_grade_alone(grading, request.trusted, progress))
    scorecards = [score(evidence, role) for role in roles]
    discard(earlier - write_result(evidence, scorecards, request.out), request.out)
    print_outcome(evidence, scorecards, request.out, as_json=as_json)
    return DONE


async def _grade_alone(grading: Grading, trusted: bool, progress: Progress) -> Evidence:
    async with Host.open(trusted=trusted) as host:
        return await evaluate(host, grading, progress)


async def evaluate(host: Host, grading: Grading, progress: Progress) -> Evidence:
    """Runs every check of an exercise, the scanners and the load; never raises for what a
    submission does.
    """
    started, began = datetime.now(UTC), time.monotonic()
    _warn_of_another_kit(grading, progress)
    beside = asyncio.create_task(_beside(grading, progress))
    try:
        seen = await _run_service(host, grading, progress)
        submission, flaws, static = await beside
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
    return Evidence(
        exercise=grading.exercise.id,
        exercise_facts=facts.exercise_facts(grading.exercise),
        submission=submission,
        seed=grading.seed,
        started=started,
        seconds=round(time.monotonic() - began, 3),
        versions=versions() | host.versions,
        isolation=host.isolation,
        service=seen.service,
        flaws=flaws,
        verdicts=tuple(seen.verdicts),
        static=static,
        load=seen.load,
        logs=seen.logs,
    )


async def _run_service(host: Host, grading: Grading, progress: Progress) -> _Seen:
    seen = _Seen()
    try:
        async with AsyncExitStack() as stack:
            with progress.stage("preparing the submission: environment, build, migration"):
                check = await stack.enter_async_context(checking(grading.checks, grading.seed))
                submission = await stack.enter_async_context(
                    prepared(host, grading.submission.tree)
                )
            await _check_service(check, submission, grading, seen, progress)
            if grading.load != "off":
                with progress.stage(f"driving the {grading.load} load"):
                    seen.load = await compare(
                        host, submission, grading.exercise, grading.load, grading.seed
                    )
    except SubmissionError as failure:
        _note_failure(seen, grading, failure)
    return seen


async def _check_service(
    check: Check, submission: Prepared, grading: Grading, seen: _Seen, progress: Progress
) -> None:
    async with AsyncExitStack() as stack:
        with progress.stage("starting the service"):
            running = await stack.enter_async_context(session(submission))
        with progress.stage(f"running {len(grading.checks)} checks"):
            async for verdict in check(running):
                seen.verdicts.append(facts.with_competencies(verdict, grading.bank))
                progress.line(verdict_line(verdict))
        ended = await running.endings()
        seen.service = ServiceState(started=True, failure=endings.sentence(ended))
        seen.logs = endings.with_logs(await running.logs(), ended)


def _note_failure(seen: _Seen, grading: Grading, failure: SubmissionError) -> None:
    """The service did not start, or ended on its way: what was not asked is not reached."""
    seen.service = ServiceState(
        started=failure.stage == "running", failure=str(failure), stage=failure.stage
    )
    seen.logs = failure.logs or seen.logs
    if not seen.verdicts:
        found = facts.not_started(catalogue(), grading.checks, str(failure), grading.seed)
        seen.verdicts = [facts.with_competencies(one, grading.bank) for one in found]


async def _beside(
    grading: Grading, progress: Progress
) -> tuple[SubmissionFacts, tuple[FlawFacts, ...], StaticReport]:
    """What needs no running service: the differences, and the scanners on the source."""
    exercise, bank = grading.exercise, grading.bank
    submission = await facts.submission_facts(exercise, grading.submission)
    flaws = [
        await facts.flaw_facts(bank.flaw(name), seeded, exercise.track)
        for name, seeded in exercise.flaws.items()
    ]
    with tempfile.TemporaryDirectory(prefix="assay-source-") as name:
        ours, theirs = Path(name) / "submission", Path(name) / "starter"
        grading.submission.write(ours)
        write_tree(exercise.starter(), theirs)
        with progress.stage("reading the source with bandit and semgrep"):
            static = await scan(ours, theirs)
    return submission, tuple(flaws), static


def form_of(request: Request, submission: Submission) -> int:
    """The form that was handed out: as whoever grades says, or the kit's canary, or its manifest.

    A canary counts that our own key has sealed: the manifest is the candidate's to change.
    """
    kit = submission.kit
    if request.form is not None or kit is None:
        return request.form or 0
    key = read_key()
    handed = opened(kit.canary, key) if key is not None else None
    found = kit if handed is None else handed
    return found.seed if found.exercise == request.exercise else 0


def _warn_of_another_kit(grading: Grading, progress: Progress) -> None:
    kit, exercise = grading.submission.kit, grading.exercise
    if kit is None:
        return
    if kit.exercise != exercise.id:
        progress.line(f"Mind: its kit.toml says {kit.exercise!r}; it is graded as {exercise.id!r}.")
    elif kit.seed != exercise.seed:
        progress.line(f"Mind: its kit.toml says form {kit.seed}; it is graded as {exercise.seed}.")
