"""Idempotency keys (contract 5). Whether a retry pays twice is a check of its own."""

from __future__ import annotations

from checks import contract
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.operations import OPERATIONS, Tenants, deposit, transfer
from checks.probes import current
from checks.registry import check
from checks.verdicts import Broken

_REPLAYED = "Idempotency-Replayed"


def _same_object(first: Answer, again: Answer) -> bool:
    """Whether a retry spoke of the first one's object; if not, ``idempotency-missing`` says so."""
    if again.ok and again.members.get("id") != first.members.get("id"):
        current()[1].note(f"{first.request} is not replayed at all: another check's matter.")
        return False
    return True


@check(
    needs=(*contract.transfers, *contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.idempotency",),
)
async def a_retry_gets_the_first_answer(tenants: Tenants, fresh: Fresh) -> None:
    """A repeated request gets the stored answer: the same status and JSON, marked as replayed."""
    for operation in OPERATIONS.values():
        case, key = await operation(tenants), fresh.key()
        first = (await case.send(key)).expect(200, 201)
        if _REPLAYED in first.headers:
            raise Broken(f"{first} for the first time, and says {_REPLAYED}.")
        again = await case.send(key)
        if not _same_object(first, again):
            continue
        again.expect(first.status or 0)
        if again.json != first.json:
            raise Broken(
                f"{again} when repeated, with another body: {again.json}, not {first.json}."
            )
        if not again.replayed:
            raise Broken(f"{again} when repeated, without {_REPLAYED}: true.")


@check(
    needs=(*contract.transfers, *contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.idempotency", "api.validation"),
)
async def a_key_is_required(tenants: Tenants, fresh: Fresh) -> None:
    """Without a key, or with one that is none, nothing is done."""
    for name, operation in OPERATIONS.items():
        case = await operation(tenants)
        without = await case.caller.post(case.path, case.body)
        expect_problem(without, 400, code="idempotency_key_missing")
        for bad in ("", "k" * 256, "a\tb") if name in {"transfer", "sale"} else ():
            answer = await case.caller.post(case.path, case.body, key=bad)
            codes = ("idempotency_key_invalid", "idempotency_key_missing")
            expect_problem(answer, 400, code=codes)
        if await case.effects() != (0, 0):
            raise Broken(f"POST {case.path} without a key was carried out.")


@check(needs=contract.transfers, competencies=("distributed.idempotency",))
async def quotes_are_no_part_of_a_key(tenants: Tenants, fresh: Fresh) -> None:
    """A key may be sent in quotes or bare: it is the same key."""
    for operation in (transfer, deposit):
        case, key = await operation(tenants), fresh.key()
        first = (await case.send(key)).expect(201)
        replicas = range(len(tenants.platform.connections.replicas))
        retried = [await case.send(key, replica=replica) for replica in replicas]
        if not all(_same_object(first, again) for again in retried):
            continue
        quoted = (await case.send(f'"{key}"')).expect(201)
        if quoted.json != first.json:
            raise Broken(f'{quoted} under "{key}" in quotes, as if it were another key than bare.')


@check(needs=contract.transfers, competencies=("distributed.idempotency",))
async def a_refused_request_does_not_use_up_its_key(tenants: Tenants, fresh: Fresh) -> None:
    """Refusals by schema or access are not stored: the key still works afterwards."""
    case, key = await transfer(tenants), fresh.key()
    wrong = case.body | {"to": f"acc_{fresh.word(26)}"}
    expect_problem(await case.caller.post(case.path, wrong, key=key), 404)
    shapeless = {"from": case.body["from"]}
    expect_problem(await case.caller.post(case.path, shapeless, key=key), 422)
    anonymous = await tenants.platform.anonymous.post(case.path, case.body, key=key)
    expect_problem(anonymous, 401)
    (await case.send(key)).expect(201)
    if await case.effects() != case.whole:
        raise Broken("A transfer put right under its key was not carried out once.")
