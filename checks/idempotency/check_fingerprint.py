"""idempotency-no-fingerprint: a key answers for a request that it was not sent with (CWE-837)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.idempotency.otherwise import Asked, Other, approval, conversion, operation, payout
from checks.operations import OPERATIONS, Tenants
from checks.probes import probe
from checks.registry import check
from checks.verdicts import NotReached, Vulnerable

_HINT = (
    "Store with each key a fingerprint of method, path and the whole JSON value, and compare it"
    " whenever the key is found, before its answer is given again."
)

#: Where a retry that is not replayed is charged.
_RETRY = "idempotency/a_retry_has_no_second_effect"

_REUSED = "idempotency_key_reused"

_Make = Callable[[], Awaitable[Asked]]


@check(
    "idempotency-no-fingerprint",
    needs=(*contract.transfers, *contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.idempotency", "api.validation"),
)
async def a_key_answers_no_other_request(tenants: Tenants, fresh: Fresh) -> None:
    """A key that moved money, or took it, answers for no other path and no other body."""
    await _refused(tenants, fresh, [partial(operation, tenants, name) for name in OPERATIONS])


@check(
    "idempotency-no-fingerprint",
    needs=(*contract.quotes, *contract.payouts),
    competencies=("distributed.idempotency", "api.validation"),
)
async def a_key_answers_no_other_payout(tenants: Tenants, testbed: Testbed, fresh: Fresh) -> None:
    """A key that converted money, or made or approved a payout, answers for no other."""
    made = (
        partial(conversion, tenants),
        partial(payout, tenants),
        partial(approval, tenants, testbed),
    )
    await _refused(tenants, fresh, made)


async def _refused(tenants: Tenants, fresh: Fresh, asked: Sequence[_Make]) -> None:
    """Each request's key is refused to the others: 422, and nothing is done."""
    replicas, tried, answers = len(tenants.platform.connections.replicas), 0, list[Answer]()
    for make in asked:
        one, key = await make(), fresh.key()
        first = (await one.send(key, 0)).expect(200, 201)
        with probe(f"{one.name}: the same again, in other bytes too") as attempt:
            if not await _replayed(one, key, first, replicas):
                attempt.note(f"{first.request} is not replayed at all: another check's matter.")
                continue
        tried += 1
        for number, other in enumerate(one.others):
            with probe(f"{one.name}: {other.what}, under the same key"):
                answers.append(await _attack(one, other, key, first, number % replicas))
    for answer in answers:
        expect_problem(answer, 422, code=_REUSED)
    if not tried:
        raise NotReached("No request is held back even where it comes again as it was.", _RETRY)


async def _replayed(one: Asked, key: str, first: Answer, replicas: int) -> bool:
    """Whether the key stands for its own request, on whichever replica.

    Whether the order of its members counts is the service's choice, and it may count white space
    with it; then it refuses, and does nothing.
    """
    done = await one.effects()
    for replica in range(replicas):
        again = await one.send(key, replica)
        rewritten = await one.rewritten(key, replica)
        if not _of_the_first(again, first):
            return False
        if rewritten.code != _REUSED and not _of_the_first(rewritten, first):
            return False
    return await one.effects() == done


def _of_the_first(answer: Answer, first: Answer) -> bool:
    return answer.ok and answer.members.get("id") == first.members.get("id")


async def _attack(one: Asked, other: Other, key: str, first: Answer, replica: int) -> Answer:
    """Another request under the key that the first one has spent."""
    done = await one.effects()
    answer = await one.caller.post(other.path, other.body, key=key, replica=replica)
    if answer.ok and answer.json == first.json:
        raise Vulnerable(
            f"{answer} to another request ({other.what}) than its key was sent with: it was given"
            f" the answer to {first.request}, and nothing of what it asked for was done.",
            _HINT,
        )
    if answer.ok or await one.effects() != done:
        raise Vulnerable(
            f"{answer} to another request ({other.what}) under the key of {first.request}, and it"
            " was carried out as well: one key stands for two requests.",
            _HINT,
        )
    return answer
