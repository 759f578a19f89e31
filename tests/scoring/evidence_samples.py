"""Builders of evidence as a grading of ``full-service`` gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from checks.evidence import (
    CheckVerdict,
    Evidence,
    ExerciseFacts,
    Finding,
    Isolation,
    LoadReport,
    LoadSide,
    LogTail,
    Probe,
    ServiceState,
    StaticReport,
    SubmissionFacts,
    Verdict,
)
from tests.scoring.sample_flaws import FLAWS, FLOWS, SOUND_DIFF, Seed, facts
from tests.scoring.sample_probes import exchange, probes

if TYPE_CHECKING:
    from collections.abc import Iterable


BECAUSE = {
    Verdict.VULNERABLE: "the forbidden request was answered with 2xx, and its effect was seen",
    Verdict.BROKEN: "the legitimate request was refused with 500 before anything was tried",
    Verdict.INCONCLUSIVE: "the second request never reached the gate within 5 s",
    Verdict.ERROR: "ConnectionError: the broker closed its socket",
    Verdict.NOT_REACHED: "contract/payments is broken, on which this check builds",
    Verdict.SECURE: "",
}


def flaw_verdict(
    seed: Seed, verdict: Verdict, *, bare: bool = False, blocked_by: str = "contract/payments"
) -> CheckVerdict:
    """The verdict of the flaw's check."""
    return CheckVerdict(
        check=seed.check,
        flaw=seed.id,
        verdict=verdict,
        summary=seed.rule,
        because=BECAUSE[verdict],
        hint="Look at the query behind this endpoint." if verdict is Verdict.VULNERABLE else "",
        blocked_by=blocked_by if verdict is Verdict.NOT_REACHED else None,
        competencies=seed.competencies,
        seed=7,
        seconds=0.4,
        probes=() if bare else probes(seed, verdict),
    )


def flow_verdict(check: str, summary: str, verdict: Verdict) -> CheckVerdict:
    """The verdict on a legitimate flow."""
    return CheckVerdict(
        check=check,
        flaw=None,
        verdict=verdict,
        summary=summary,
        because=BECAUSE[verdict],
        blocked_by="contract/payments" if verdict is Verdict.NOT_REACHED else None,
        competencies=("api.contract",),
        seed=7,
        seconds=0.1,
        probes=(
            Probe(
                id=f"{check}/1",
                title="the flow as documented",
                exchanges=(exchange(0.0, "alice", "GET", "/v1/payments", 200, got={"data": []}),),
            ),
        )
        if verdict is Verdict.BROKEN
        else (),
    )


def load_report(ratio: float = 0.93) -> LoadReport:
    """A load run in which the submission does ``ratio`` of the reference's throughput."""
    reference = LoadSide(
        requests=5200, errors=0, throughput=412.0, p50=18.0, p95=41.0, p99=66.0,
        slices=(405.0, 418.0, 409.0, 416.0),
    )  # fmt: skip
    return LoadReport(
        profile="quick",
        users=16,
        submission=LoadSide(
            requests=int(5200 * ratio),
            errors=0,
            throughput=412.0 * ratio,
            p50=18.0 / ratio,
            p95=44.0 / ratio,
            p99=72.0 / ratio,
            slices=tuple(one * ratio for one in (401.0, 423.0, 410.0, 412.0)),
        ),
        reference=reference,
        ratio=ratio,
    )


STATIC = StaticReport(
    findings=(
        Finding(
            tool="semgrep", rule="assay.sql-from-request", severity="high", cwe=(89,),
            path="payments/payments/repository.py", line=44, in_starter=True,
            message="Text from a request is part of a SQL statement.",
            excerpt='text(f"SELECT * FROM payments ORDER BY {sort}")',
        ),
        Finding(
            tool="bandit", rule="B110", severity="low", cwe=(703,),
            path="payments/psp/client.py", line=88,
            message="Try, Except, Pass detected.", excerpt="except Exception:\n    pass",
        ),
    ),
    seconds=3.1,
)  # fmt: skip

LOGS = (
    LogTail(
        source="replica 0",
        text='{"event": "request", "path": "/v1/payments", "status": 201, "ms": 11.2}\n'
        '{"event": "request", "path": "/v1/transfers", "status": 201, "ms": 7.9}\n',
    ),
    LogTail(source="worker", text='{"event": "reconciled", "operations": 1}\n', truncated=True),
)


def build(
    name: str,
    verdicts: Iterable[CheckVerdict],
    *,
    flaws: tuple[Seed, ...] = FLAWS,
    diff: str = SOUND_DIFF,
    load: LoadReport | None = None,
    service: ServiceState | None = None,
    static: StaticReport | None = STATIC,
    logs: tuple[LogTail, ...] = LOGS,
) -> Evidence:
    """Evidence of one grading of ``full-service``."""
    return Evidence(
        exercise="full-service",
        exercise_facts=ExerciseFacts(
            id="full-service",
            title="The whole payment service",
            kind="repair",
            minutes=240,
            track="fastapi",
        ),
        submission=SubmissionFacts(name=name, digest="9f2c" * 16, files=61, diff=diff),
        seed=7,
        started=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        seconds=21.4,
        versions={
            "assay": "0.1.0",
            "python": "3.11.4",
            "postgresql": "18.1",
            "reference": "a2a5359",
        },
        isolation=Isolation(mechanism="landlock", other_user=True, network=True),
        service=service or ServiceState(started=True),
        flaws=tuple(facts(seed) for seed in flaws),
        verdicts=tuple(verdicts),
        static=static,
        load=load,
        logs=logs,
    )


def flows(broken: Iterable[str] = ()) -> list[CheckVerdict]:
    """The verdicts on all legitimate flows."""
    names = set(broken)
    return [
        flow_verdict(check, summary, Verdict.BROKEN if check in names else Verdict.SECURE)
        for check, summary in FLOWS
    ]


def starter() -> Evidence:
    """The untouched starter: everything vulnerable, no flow broken."""
    return build(
        "starter",
        [*(flaw_verdict(seed, Verdict.VULNERABLE) for seed in FLAWS), *flows()],
        diff="",
        load=load_report(0.71),
    )


def partial() -> Evidence:
    """A repair by fixes and decoys, one of which broke a flow."""
    still = {"jwt-algorithm", "transfer-double-spend", "idempotency-claim-race", "n-plus-one"}
    verdicts = [
        flaw_verdict(
            seed,
            Verdict.VULNERABLE
            if seed.id in still
            else Verdict.BROKEN
            if seed.id == "mass-assignment"
            else Verdict.SECURE,
        )
        for seed in FLAWS
    ]
    return build("partial", [*verdicts, *flows()], load=load_report(0.64))


def repaired() -> Evidence:
    """A full repair."""
    return build(
        "repaired",
        [*(flaw_verdict(seed, Verdict.SECURE) for seed in FLAWS), *flows()],
        load=load_report(0.97),
    )


def broken_flow() -> Evidence:
    """Payments no longer work, and the checks that build on them were not reached."""
    hidden = {"payment-idor", "over-refund-race", "psp-timeout-is-failure", "exception-means-paid"}
    verdicts = [
        flaw_verdict(seed, Verdict.NOT_REACHED if seed.id in hidden else Verdict.SECURE)
        for seed in FLAWS
    ]
    return build("broken-flow", [*verdicts, *flows(["contract/payments"])])


def blocked() -> Evidence:
    """The harness failed on one check, and another gave no answer."""
    failed = {
        "transfer-double-spend": Verdict.INCONCLUSIVE,
        "jwt-claims": Verdict.ERROR,
    }
    verdicts = [flaw_verdict(seed, failed.get(seed.id, Verdict.SECURE)) for seed in FLAWS]
    return build("blocked", [*verdicts, *flows()])


def never_started() -> Evidence:
    """The service exited while its schema was migrated."""
    return build(
        "never-started",
        [flaw_verdict(seed, Verdict.NOT_REACHED, blocked_by="service/starts") for seed in FLAWS],
        service=ServiceState(
            started=False,
            failure="The migration ended with status 1: no such table accounts.",
            stage="migrate",
        ),
        static=None,
        logs=(LogTail(source="migrate", text="Traceback (most recent call last):\n  …\n"),),
    )
