"""Builders of evidence as a grading of ``full-service`` gives it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from checks.evidence import (
    CheckVerdict,
    Evidence,
    Exchange,
    ExerciseFacts,
    Finding,
    FlawFacts,
    Isolation,
    JournalEntry,
    Lesson,
    LoadReport,
    LoadSide,
    LogTail,
    Message,
    Probe,
    ScheduleStep,
    ServiceState,
    Severity,
    StaticReport,
    SubmissionFacts,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Seed(NamedTuple):
    """The facts of one flaw."""

    id: str
    title: str
    family: str
    severity: Severity
    cwe: int
    competencies: tuple[str, ...]
    check: str
    rule: str


FLAWS = (
    Seed(
        "payment-idor",
        "Another merchant's payment can be read, captured, voided or refunded",
        "security",
        "critical",
        639,
        ("security.authorisation",),
        "security/another_merchant_cannot_read_a_payment",
        "A payment is visible only to the merchant that took it.",
    ),
    Seed(
        "mass-assignment",
        "A request's body sets the status, owner or balance",
        "security",
        "high",
        915,
        ("security.data-exposure", "api.validation"),
        "security/a_body_sets_nothing_that_is_not_its_own",
        "Clients never set ids, owners, statuses, balances or timestamps.",
    ),
    Seed(
        "jwt-algorithm",
        "A token may choose the algorithm it is verified with",
        "security",
        "critical",
        347,
        ("security.authentication",),
        "security/a_token_cannot_choose_its_algorithm",
        "A token is verified with EdDSA, whatever its header says.",
    ),
    Seed(
        "jwt-claims",
        "A token's audience, issuer or expiry is ignored",
        "security",
        "high",
        287,
        ("security.authentication",),
        "security/a_token_for_somebody_else_is_refused",
        "Audience, issuer and expiry of a token are verified.",
    ),
    Seed(
        "sort-injection",
        "The sort order reaches the SQL text",
        "security",
        "critical",
        89,
        ("security.injection", "api.pagination"),
        "security/a_sort_order_is_never_sql",
        "A sort outside the documented set is 422.",
    ),
    Seed(
        "negative-amount",
        "Zero, negative or fractional amounts move money",
        "money",
        "critical",
        1284,
        ("money.arithmetic", "api.validation"),
        "money/amounts_are_positive_integers",
        "Amounts are integers from 1 to 10^12.",
    ),
    Seed(
        "transfer-double-spend",
        "Two transfers at once spend the same money",
        "concurrency",
        "critical",
        362,
        ("db.locking", "db.transactions", "money.ledger"),
        "concurrency/simultaneous_transfers_never_overdraw",
        "A merchant's available balance is never negative, however many transfers arrive at once.",
    ),
    Seed(
        "over-refund-race",
        "Simultaneous refunds exceed what was captured",
        "concurrency",
        "high",
        367,
        ("db.locking", "money.ledger"),
        "concurrency/simultaneous_refunds_never_exceed_the_capture",
        "Refunds are together at most the captured amount, however many arrive at once.",
    ),
    Seed(
        "idempotency-missing",
        "A repeated request pays twice",
        "idempotency",
        "high",
        837,
        ("distributed.idempotency",),
        "idempotency/a_repeat_takes_effect_once",
        "The same key and body give the first answer again, and no second effect.",
    ),
    Seed(
        "idempotency-claim-race",
        "Two requests with one key both execute",
        "idempotency",
        "high",
        362,
        ("distributed.idempotency", "db.locking"),
        "idempotency/twins_take_effect_once",
        "Two requests with one key at the same moment take effect once.",
    ),
    Seed(
        "psp-timeout-is-failure",
        "A timeout of the PSP marks the payment declined",
        "resilience",
        "high",
        755,
        ("resilience.outside-calls", "distributed.retries"),
        "resilience/a_timeout_is_unknown_until_the_psp_is_asked",
        "A timeout is ambiguous: never captured and never declined.",
    ),
    Seed(
        "exception-means-paid",
        "A swallowed error ends as a captured payment",
        "resilience",
        "high",
        390,
        ("resilience.failures",),
        "resilience/nonsense_from_the_psp_is_never_a_capture",
        "A reply that cannot be read is ambiguous, never captured.",
    ),
    Seed(
        "n-plus-one",
        "The statements of a list grow with its rows",
        "load",
        "medium",
        1050,
        ("db.queries", "performance.latency"),
        "load/a_page_costs_a_bounded_number_of_statements",
        "Statements read for a page are bounded, whatever the tables' sizes.",
    ),
)

FLOWS = (
    ("contract/payments", "A card payment is taken, captured, voided and refunded."),
    ("contract/transfers", "A transfer moves money between two accounts in one currency."),
    ("contract/reversals", "A transfer is reversed once, by the merchant that received it."),
    ("contract/accounts", "An account shows its balance, its entries and its version."),
    ("contract/tokens", "A client exchanges its secret for a token."),
    ("contract/lists", "Lists are paged by cursor, sorted and bounded."),
    ("contract/health", "The service says whether it is alive and ready."),
    ("contract/errors", "Errors are problem details with a stable code."),
)

SOUND_DIFF = '''diff --git a/payments/transfers/service.py b/payments/transfers/service.py
--- a/payments/transfers/service.py
+++ b/payments/transfers/service.py
@@ -41,8 +41,11 @@ class TransferService:
     async def transfer(self, command: TransferCommand) -> Transfer:
         """Moves money between two accounts of one currency."""
-        source = await self.accounts.get(command.source)
-        target = await self.accounts.get(command.target)
-        if source.balance < command.amount:
+        # Sorted, so that opposite transfers never wait for each other.
+        locked = await self.accounts.lock(sorted({command.source, command.target}))
+        source, target = locked[command.source], locked[command.target]
+        if source.merchant_id != self.caller.merchant_id:
+            raise AccountNotFound(command.source)
+        if source.available < command.amount:
             raise InsufficientFunds(source.id)
         return await self.ledger.post(
             Transaction.transfer(source, target, command.amount),
diff --git a/payments/payments/repository.py b/payments/payments/repository.py
--- a/payments/payments/repository.py
+++ b/payments/payments/repository.py
@@ -18,4 +18,5 @@ class PaymentRepository:
     async def get(self, payment_id: str) -> Payment | None:
         """The payment, if the caller may see it."""
         statement = select(Payment).where(Payment.id == payment_id)
+        statement = statement.where(Payment.merchant_id == self.merchant_id)
         return await self.session.scalar(statement)
'''

REFERENCE_DIFF = '''diff --git a/payments/payments/repository.py b/payments/payments/repository.py
--- a/payments/payments/repository.py
+++ b/payments/payments/repository.py
@@ -18,3 +18,7 @@ class PaymentRepository:
     async def get(self, payment_id: str) -> Payment | None:
-        """The payment with that id."""
-        return await self.session.get(Payment, payment_id)
+        """The payment with that id, if it is this merchant's."""
+        return await self.session.scalar(
+            select(Payment).where(
+                Payment.id == payment_id, Payment.merchant_id == self.merchant_id
+            )
+        )
'''


def lesson(title: str) -> Lesson:
    """A lesson as the bank carries it."""
    return Lesson(
        wrong=f"{title}. A client that belongs to one merchant names an object of another, and the "
        "service answers as though it were its own.\n\nThe id is the only thing looked at: "
        "`GET /v1/payments/{id}` reads the row by primary key.",
        why="The query asks for *which* row and forgets to ask *whose*. Authorisation that lives "
        "in each endpoint is forgotten in one of them; authorisation that lives in the repository "
        "is not.\n\n- ids leak through logs, links and support tickets\n- unguessable is not the "
        "same as forbidden",
        incident="In 2018 the invoices of a payments company could be read by counting upwards.",
        fix="Scope every read to the caller where the query is built:\n\n```python\n"
        "statement = select(Payment).where(\n    Payment.id == payment_id,\n"
        "    Payment.merchant_id == self.merchant_id,\n)\n```\n\nAnswer 404, so that the id's "
        "existence is not told either.",
        trade_offs="Row-level security in PostgreSQL guards raw SQL too, at the price of a setting "
        "in every transaction and a role that does not own the tables.",
        questions="1. How would you make it impossible to forget the merchant in the next query?\n"
        "2. What does the answer 403 tell an attacker that 404 does not?\n",
    )


def exchange(
    at: float,
    actor: str,
    method: str,
    url: str,
    status: int | None,
    *,
    sent: object | None = None,
    got: object | None = None,
    replica: int = 0,
    failure: str | None = None,
) -> Exchange:
    """One request and its answer."""
    headers = [("authorization", "Bearer eyJhbGciOiJFZERTQSJ9.…"), ("accept", "application/json")]
    if method == "POST":
        headers.append(("idempotency-key", f"k-{abs(hash((url, at))) % 9999:04d}"))
    return Exchange(
        at=at,
        seconds=0.012,
        actor=actor,
        replica=replica,
        method=method,
        url=url,
        request=Message(headers=tuple(headers), body=json.dumps(sent) if sent else ""),
        status=status,
        response=None
        if status is None
        else Message(
            headers=(("content-type", "application/json"), ("x-request-id", "req_7f31")),
            body=json.dumps(got) if got is not None else "",
        ),
        failure=failure,
    )


PAYMENT = {
    "id": "pay_8Zr2kQ",
    "account": "acc_41xPq",
    "amount": {"amount": 1250, "currency": "GBP"},
    "status": "captured",
    "refunds": [],
}


def probes(seed: Seed, verdict: Verdict) -> tuple[Probe, ...]:
    """The attempts of the flaw's check."""
    if verdict in (Verdict.NOT_REACHED, Verdict.ERROR):
        return ()
    leaked = verdict is Verdict.VULNERABLE
    took = exchange(
        0.002,
        "alice",
        "POST",
        "/v1/payments",
        201,
        sent={"account": "acc_41xPq", "amount": PAYMENT["amount"], "payment_method": "tok_5w"},
        got=PAYMENT,
    )
    if seed.family in ("concurrency", "idempotency"):
        return (_race(seed, leaked),)
    if seed.family == "resilience":
        return (_fault(seed, leaked, took),)
    hidden = {"type": "about:blank", "status": 404, "code": "payment_not_found"}
    return (
        Probe(
            id=f"{seed.check}/1",
            title="bob reads alice's payment",
            exchanges=(
                took,
                exchange(
                    0.031,
                    "bob",
                    "GET",
                    "/v1/payments/pay_8Zr2kQ",
                    200 if leaked else 404,
                    got=PAYMENT if leaked else hidden,
                    replica=1,
                ),
            ),
            notes=("bob belongs to another merchant than alice",),
        ),
        Probe(
            id=f"{seed.check}/2",
            title="bob refunds alice's payment",
            exchanges=(
                exchange(
                    0.054,
                    "bob",
                    "POST",
                    "/v1/payments/pay_8Zr2kQ/refunds",
                    201 if leaked else 404,
                    sent={"amount": {"amount": 100, "currency": "GBP"}},
                    got={"id": "ref_1"} if leaked else hidden,
                ),
            ),
        ),
    )


def _race(seed: Seed, leaked: bool) -> Probe:
    refused = {"status": 422, "code": "insufficient_funds", "title": "Insufficient funds"}
    body = {"from": "acc_a", "to": "acc_b", "amount": {"amount": 10_000, "currency": "GBP"}}
    steps = [
        ("gate", "holds the table entries against writes", "LOCK TABLE entries IN SHARE MODE"),
        ("first", "POST /v1/transfers", None),
        (
            "first",
            "reads the balance",
            "SELECT coalesce(sum(amount), 0) FROM entries WHERE account_id = $1",
        ),
        ("first", "waits for the gate", "INSERT INTO entries (account_id, amount) VALUES ($1, $2)"),
        ("second", "POST /v1/transfers", None),
        (
            "second",
            "reads the balance",
            "SELECT coalesce(sum(amount), 0) FROM entries WHERE account_id = $1",
        ),
        (
            "second",
            "waits for the gate",
            "INSERT INTO entries (account_id, amount) VALUES ($1, $2)",
        ),
        ("gate", "lets go", "ROLLBACK"),
        ("first", "201 Created", None),
        ("second", "201 Created" if leaked else "422 insufficient_funds", None),
    ]
    return Probe(
        id=f"{seed.check}/1",
        title="two requests line up behind a write, then go on together",
        schedule=tuple(
            ScheduleStep(at=0.004 * index, lane=lane, what=what, sql=sql)
            for index, (lane, what, sql) in enumerate(steps)
        ),
        exchanges=(
            exchange(0.004, "first", "POST", "/v1/transfers", 201, sent=body, got={"id": "tr_1"}),
            exchange(
                0.016,
                "second",
                "POST",
                "/v1/transfers",
                201 if leaked else 422,
                sent=body,
                got={"id": "tr_2"} if leaked else refused,
                replica=1,
            ),
            exchange(
                0.060,
                "alice",
                "GET",
                "/v1/accounts/acc_a",
                200,
                got={"balance": {"available": {"amount": -10_000 if leaked else 0}}},
            ),
        ),
    )


def _fault(seed: Seed, leaked: bool, took: Exchange) -> Probe:
    return Probe(
        id=f"{seed.check}/1",
        title="the PSP charges the card and drops its reply",
        exchanges=(
            took,
            exchange(0.2, "alice", "POST", "/v1/payments", None, failure="no answer within 10 s"),
            exchange(
                5.3,
                "alice",
                "GET",
                "/v1/payments/pay_8Zr2kQ",
                200,
                got={**PAYMENT, "status": "declined" if leaked else "unknown"},
            ),
        ),
        journal=(
            JournalEntry(
                at=0.01,
                simulator="psp",
                method="POST",
                path="/v1/authorisations",
                key="att_901:1",
                body='{"token": "tok_5w", "amount": "12.50", "currency": "GBP", "capture": true}',
                fault="drop_after",
                effect=True,
                status=None,
                answer="",
            ),
            JournalEntry(
                at=2.6,
                simulator="psp",
                method="GET",
                path="/v1/operations/att_901:1",
                key=None,
                body="",
                fault=None,
                effect=False,
                status=200,
                answer='{"id": "op_1", "type": "sale", "status": "succeeded", "amount": "12.50"}',
            ),
        ),
    )


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


def facts(seed: Seed) -> FlawFacts:
    """What the bank says of the flaw."""
    return FlawFacts(
        id=seed.id,
        title=seed.title,
        family=seed.family,
        severity=seed.severity,
        cwe=(seed.cwe,),
        owasp=("API1:2023",) if seed.family == "security" else (),
        competencies=seed.competencies,
        minutes=10,
        checks=(seed.check,),
        lesson=lesson(seed.title),
        difference=REFERENCE_DIFF,
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
