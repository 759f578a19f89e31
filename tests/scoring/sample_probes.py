"""The probes of sample evidence: requests and answers, an interleaving, a PSP journal."""

from __future__ import annotations

import json

from checks.evidence import Exchange, JournalEntry, Message, Probe, ScheduleStep, Verdict
from tests.scoring.sample_flaws import Seed


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
