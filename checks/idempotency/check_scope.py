"""idempotency-cross-tenant: one merchant's key stands in another merchant's way (CWE-639)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checks import contract
from checks.client import Answer, Client
from checks.fresh import Fresh
from checks.operations import OPERATIONS, Tenants
from checks.probes import probe
from checks.registry import check
from checks.tenants import Merchant, payment_body, transfer_body
from checks.verdicts import Broken, NotReached, Vulnerable

_HINT = (
    "Make the merchant, as the verified token names it, part of the unique key under which keys are"
    " stored and found. The administrator's keys are a scope of their own."
)

#: Where a retry that is not replayed is charged.
_RETRY = "idempotency/a_retry_has_no_second_effect"

#: The longest key there is (contract 5.1).
_LONGEST = 255


@check(
    "idempotency-cross-tenant",
    needs=(*contract.transfers, *contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.idempotency", "security.authorisation"),
)
async def a_kept_answer_is_its_merchants_own(tenants: Tenants, fresh: Fresh) -> None:
    """What was answered under one merchant's key is answered to no other."""
    replicas, tried = range(len(tenants.platform.connections.replicas)), 0
    for name, operation in OPERATIONS.items():
        if name == "deposit":
            continue
        case, key = await operation(tenants), fresh.key()
        first = (await case.send(key, replica=0)).expect(200, 201)
        with probe(f"bob sends alice's {name} under her key") as attempt:
            again = [await case.send(key, replica=replica) for replica in replicas]
            if not all(_same(first, one) for one in again):
                attempt.note(f"{first.request} is not replayed at all: another check's matter.")
                continue
            tried += 1
            for replica in replicas:
                answer = await tenants.bob.post(case.path, case.body, key=key, replica=replica)
                _unlike(answer, first)
    if not tried:
        raise _unheld()


def _unlike(answer: Answer, first: Answer) -> None:
    if answer.ok and answer.json == first.json:
        raise Vulnerable(
            f"{answer} to another merchant, with what {first.request} was answered to the one whose"
            " key it is.",
            _HINT,
        )
    if answer.failed:
        raise Broken(f"{answer}, to another merchant than the one whose key it is.")


@dataclass(frozen=True, slots=True)
class _Sender:
    """Somebody with a request of its own, which may be sent as often as there are keys."""

    who: str
    client: Client
    path: str
    body: dict[str, Any]

    async def send(self, key: str, replica: int = 0) -> Answer:
        """Send it."""
        return await self.client.post(self.path, self.body, key=key, replica=replica)

    async def own(self, key: str, first: Answer, replicas: int) -> Answer | None:
        """Its answer when it comes again, if that is another than the first; on any replica."""
        for replica in range(replicas):
            again = await self.send(key, replica)
            if not _same(first, again):
                return again
        return None


@check(
    "idempotency-cross-tenant",
    needs=(*contract.transfers, *contract.payments),
    competencies=("distributed.idempotency", "security.authorisation"),
)
async def a_key_is_in_no_other_merchants_way(tenants: Tenants, fresh: Fresh) -> None:
    """A key that somebody has used is free for everybody else, and each gets its own answer."""
    alice, bob = tenants.alice, tenants.bob
    hers, his = await _transfer(alice), await _transfer(bob)
    theirs = _Sender(
        "the administrator",
        tenants.platform.client,
        "/v1/deposits",
        {"account": his.body["to"], "amount": fresh.money(100, 900).json()},
    )
    pairs = (
        (hers, his, fresh.key()),
        (hers, his, fresh.word(_LONGEST)),
        (await _sale(alice), await _sale(bob), fresh.key()),
        (hers, theirs, fresh.key()),
        (theirs, his, fresh.key()),
    )
    replicas, tried = len(tenants.platform.connections.replicas), 0
    for one, other, key in pairs:
        with probe(f"{one.who}: POST {one.path}; {other.who}: POST {other.path}") as attempt:
            if not await _held(one, fresh, replicas) or not await _held(other, fresh, replicas):
                attempt.note("A retry is not replayed at all: another check's matter.")
                continue
            tried += 1
            await _attack(one, other, key, replicas)
    if not tried:
        raise _unheld()


async def _transfer(merchant: Merchant) -> _Sender:
    """A transfer between accounts of its own."""
    source, target = await merchant.funded(), await merchant.open_account()
    body = transfer_body(source, target, merchant.fresh.money(100, 900))
    return _Sender(merchant.actor, merchant.owner, "/v1/transfers", body)


async def _sale(merchant: Merchant) -> _Sender:
    """A payment captured at once."""
    fresh, account = merchant.fresh, await merchant.open_account()
    body = payment_body(account, fresh.money(1000, 9000), fresh.card())
    return _Sender(merchant.actor, merchant.owner, "/v1/payments", body)


async def _held(sender: _Sender, fresh: Fresh, replicas: int) -> bool:
    """Whether its request is done under a key of its own, and not done again under that."""
    key = fresh.key()
    first = (await sender.send(key)).expect(201)
    return await sender.own(key, first, replicas) is None


async def _attack(one: _Sender, other: _Sender, key: str, replicas: int) -> None:
    """Both use one key; each has its own effect, and its own answer when it comes again."""
    first = (await one.send(key)).expect(201)
    second = await other.send(key)
    _unlike(second, first)
    if second.refused:
        raise Vulnerable(
            f"{second} to {other.who}, under a key that {one.who} has used; under any other it is"
            " done. One's keys keep the other's requests from being carried out, and betray that"
            " they were used.",
            _HINT,
        )
    if second.expect(201).replayed:
        raise Broken(f"{second} to {other.who}, as if it were sent before.")
    for sender, answer in ((one, first), (other, second)):
        again = await sender.own(key, answer, replicas)
        if again is not None:
            raise Vulnerable(
                f"{again} to {sender.who}, for what it had sent before under this key, and was"
                f" answered {answer.status}: meanwhile {one.who} and {other.who} both used it.",
                _HINT,
            )


def _same(first: Answer, again: Answer) -> bool:
    return again.ok and again.members.get("id") == first.members.get("id")


def _unheld() -> NotReached:
    return NotReached("No request is held back even where its own merchant repeats it.", _RETRY)
