"""idempotency-missing: a retry pays twice (CWE-837)."""

from __future__ import annotations

from dataclasses import replace

from checks import contract
from checks.attachment import Psp
from checks.client import Answer
from checks.fresh import Fresh
from checks.operations import OPERATIONS, Case, Tenants, counted
from checks.probes import probe
from checks.registry import check
from checks.testbed.faults import Operation as Asked
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Keep each key with its answer in the database, under a unique constraint on merchant and"
    " key, and claim it before anything is done."
)

#: What the PSP can decline.
_DECLINED: tuple[Asked, ...] = ("sale", "authorisation", "capture", "void", "refund")


@check(
    "idempotency-missing",
    needs=(*contract.transfers, *contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.idempotency",),
)
async def a_retry_has_no_second_effect(tenants: Tenants, fresh: Fresh) -> None:
    """A request sent again under its key takes effect once, whichever replica gets it and when."""
    replicas = range(len(tenants.platform.connections.replicas))
    sent: list[tuple[str, Case, str, Answer]] = []
    for name, operation in OPERATIONS.items():
        case, key = await operation(tenants), fresh.key()
        first = (await case.send(key, replica=0)).expect(200, 201)
        if await case.effects() != case.whole:
            raise Broken(f"{first}, and it took effect {counted(await case.effects())}.")
        with probe(f"{name}: retried on the same replica, and on another"):
            for replica in replicas:
                await _retry(case, key, first, replica)
            await _once(case, first)
        sent.append((name, case, key, first))
    again = tenants.alice.logged_in(tenants.alice.facts.owner)
    colleague = await tenants.alice.client("operator")
    for name, case, key, first in sent:
        with probe(f"{name}: retried later, with a new token, and by a colleague"):
            callers = (case.caller,) if name == "deposit" else (case.caller, again, colleague)
            for caller in callers:
                await _retry(replace(case, caller=caller), key, first, replicas[-1])
            await _once(case, first)
        with probe(f"{name}: retried, its members in another order"):
            turned = replace(case, body=dict(reversed(case.body.items())))
            await _retry(turned, key, first, replicas[-1])
            await _once(case, first)


async def _retry(case: Case, key: str, first: Answer, replica: int) -> None:
    """Send it again; another object is a second payment."""
    again = await case.send(key, replica=replica)
    if again.ok and again.members.get("id") != first.members.get("id"):
        raise Vulnerable(
            f"{again.request}, sent again under its key, made {again.members.get('id')} beside"
            f" {first.members.get('id')}; it took effect {counted(await case.effects())} instead of"
            f" {counted(case.whole)}.",
            _HINT,
        )
    if again.failed:
        raise Broken(f"{again}, sent again under its key after {first.status}.")


async def _once(case: Case, first: Answer) -> None:
    """Another effect is a second payment, whatever was answered."""
    done = await case.effects()
    if done != case.whole:
        raise Vulnerable(
            f"{first}. Sent again under the same key, it took effect {counted(done)} instead of"
            f" {counted(case.whole)}.",
            _HINT,
        )


@check(
    "idempotency-missing",
    needs=contract.declines,
    competencies=("distributed.idempotency",),
)
async def a_declined_payment_stays_declined(tenants: Tenants, psp: Psp, fresh: Fresh) -> None:
    """A retry of what the PSP declined is declined again, though it would be done by then."""
    for name in _DECLINED:
        case, key = await OPERATIONS[name](tenants), fresh.key()
        fault = await psp.fault("decline", name, token=case.card)
        declined = (await case.send(key, replica=0)).expect(402)
        await psp.lift(fault)
        with probe(f"the same {name} again, under its key, when the PSP would do it"):
            for replica in range(len(tenants.platform.connections.replicas)):
                again = await case.send(key, replica=replica)
                if again.ok or await case.effects() != (0, 0):
                    raise Vulnerable(
                        f"{declined} and then {again}: the {name} that was reported as declined was"
                        " carried out.",
                        _HINT,
                    )
