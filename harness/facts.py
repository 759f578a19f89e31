"""What an evidence says beside the verdicts, so that a report needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from checks.evidence import CheckVerdict, ExerciseFacts, FlawFacts, Lesson, SubmissionFacts, Verdict
from checks.registry import Declaration
from exercises.bank import Bank, BankError, Flaw, Variant
from exercises.exercise import Exercise
from exercises.kit import beside_the_service
from exercises.tree import compose, reference_tree
from harness.difference import difference
from harness.submission import Submission


def exercise_facts(exercise: Exercise) -> ExerciseFacts:
    """The exercise, in the form that is graded."""
    return ExerciseFacts(
        id=exercise.id,
        title=exercise.title,
        kind=exercise.kind,
        minutes=exercise.minutes,
        track=exercise.track,
        form=exercise.seed,
    )


async def submission_facts(exercise: Exercise, submission: Submission) -> SubmissionFacts:
    """The submission by content, and how it differs from the starter."""
    kits = beside_the_service(exercise)
    theirs = {path: data for path, data in submission.tree.items() if path not in kits}
    diff, cut = await difference(exercise.starter(), theirs)
    return SubmissionFacts(
        name=submission.name,
        digest=submission.digest,
        files=len(submission.tree),
        diff=diff,
        diff_truncated=cut,
    )


async def flaw_facts(flaw: Flaw, seeded: Variant, track: str) -> FlawFacts:
    """A flaw with its lesson; its difference leads from the flawed code to the reference's."""
    patch = seeded.patch()
    reference = reference_tree(track)
    flawed = compose(reference, [patch])
    mended, _ = await difference(
        {path: flawed[path] for path in patch.paths if path in flawed},
        {path: reference[path] for path in patch.paths if path in reference},
    )
    return FlawFacts(
        id=flaw.id,
        title=flaw.title,
        family=flaw.family,
        severity=flaw.severity,
        cwe=flaw.cwe,
        owasp=flaw.owasp,
        competencies=flaw.competencies,
        minutes=flaw.minutes,
        checks=flaw.checks,
        lesson=Lesson(**flaw.lesson.model_dump(exclude={"hints"})),
        untried=flaw.untried,
        difference=mended,
    )


def agree(bank: Bank, declarations: Iterable[Declaration], competencies: Iterable[str]) -> None:
    """Raises ``BankError`` unless the bank and the checks name one another alike."""
    declared = {one.id: one for one in declarations}
    bank.agree_with(declared, competencies)
    for flaw in bank.flaws.values():
        of_flaw = {one.id for one in declared.values() if one.flaw == flaw.id}
        for check in sorted(of_flaw ^ set(flaw.checks)):
            raise BankError(f"{flaw.id}/flaw.toml: it and {check} do not name each other.")


def with_competencies(verdict: CheckVerdict, bank: Bank) -> CheckVerdict:
    """A flaw's verdict speaks about the flaw's competencies unless its check says others."""
    if verdict.competencies or verdict.flaw is None or verdict.flaw not in bank.flaws:
        return verdict
    competencies = bank.flaws[verdict.flaw].competencies
    return verdict.model_copy(update={"competencies": competencies})


def not_started(
    declarations: Iterable[Declaration], names: Iterable[str], sentence: str, seed: int
) -> tuple[CheckVerdict, ...]:
    """The verdicts on a service that never ran: one contract check is broken, and blocks the rest.

    One fault is charged once: the first contract check that needs no other bears it.
    """
    known = {one.id: one for one in declarations}
    chosen = [known[name] for name in names]
    bearer = next(one.id for one in chosen if one.flaw is None and not one.needs)
    found: list[CheckVerdict] = []
    for one in chosen:
        bears = one.id == bearer
        found.append(
            CheckVerdict(
                check=one.id,
                flaw=one.flaw,
                verdict=Verdict.BROKEN if bears else Verdict.NOT_REACHED,
                summary=one.summary,
                because=sentence if bears else f"The service did not start: {sentence}",
                blocked_by=None if bears else bearer,
                competencies=one.competencies or (("api.contract",) if one.flaw is None else ()),
                seed=seed,
            )
        )
    return tuple(found)
