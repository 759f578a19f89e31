"""Changes that an event tells of: how one is asked for, and what is seen of it (contract 16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from checks.contest import posting
from checks.fresh import Fresh
from checks.interleaving import Send
from checks.lists import of_list
from checks.losers import carried_out, seen
from checks.payouts import payout_body
from checks.shapes import Account, Page
from checks.tenants import Merchant, payment_body, transfer_body

#: Objects and events among which those of one request are looked for: they are the latest.
_LATEST = 20

Body = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A change that is told of: where it is asked for, what tells of it and in which status.

    The list at ``path`` shows it under the reference that the body names. ``then`` is asked for of
    what was made so, and is the change if it is given.
    """

    name: str
    path: str
    event: str
    body: Body
    status: str | None = None
    then: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a change, with a reference that nobody else has."""

    kind: Kind
    merchant: Merchant
    reference: str
    send: Send

    @classmethod
    async def of(cls, kind: Kind, merchant: Merchant) -> Self:
        """A new one."""
        reference, key = merchant.fresh.word(20), merchant.fresh.key()
        path, body = kind.path, {**kind.body(), "reference": reference}
        if kind.then:
            made = await carried_out(partial(merchant.post, path, body, key=key))
            path = f"{path}/{made.expect(201).members.get('id')}/{kind.then}"
            body, key = {}, merchant.fresh.key()
        return cls(kind, merchant, reference, posting(merchant.owner, path, body, key))

    async def made(self) -> list[str]:
        """The objects that came to what is told of."""
        items = await self._latest(self.kind.path)
        return sorted(
            str(item.get("id"))
            for item in items
            if item.get("reference") == self.reference
            and self.kind.status in (None, item.get("status"))
        )

    async def told(self) -> list[str]:
        """The objects that the events tell of, each as often as it is told."""
        items = await self._latest("/v1/events")
        return sorted(
            str(item.get("object"))
            for item in items
            if item.get("type") == self.kind.event
            and isinstance(data := item.get("data"), dict)
            and data.get("reference") == self.reference
        )

    async def _latest(self, path: str) -> Sequence[dict[str, object]]:
        answer = await seen(self.merchant.owner, of_list(path, limit=_LATEST))
        return answer.read(Page).data


def transfers(source: Account, target: Account, fresh: Fresh) -> Kind:
    """A change by one transaction."""

    def transfer() -> Mapping[str, Any]:
        return transfer_body(source, target, fresh.money(100, 900))

    return Kind("transfers", "/v1/transfers", "transfer.created", transfer)


def sales(account: Account, fresh: Fresh) -> Kind:
    """A change that the PSP takes part in."""

    def sale() -> Mapping[str, Any]:
        return payment_body(account, fresh.money(1_000, 9_000), fresh.card())

    return Kind("captured payments", "/v1/payments", "payment.captured", sale, "captured")


def payouts(account: Account, fresh: Fresh) -> Kind:
    """A change that only holds."""
    return Kind("payouts", "/v1/payouts", "payout.created", partial(_payout, account, fresh))


def cancellations(account: Account, fresh: Fresh) -> Kind:
    """A change that only lets go of what was held."""
    body = partial(_payout, account, fresh)
    told, path = "payout.cancelled", "/v1/payouts"
    return Kind("cancelled payouts", path, told, body, "cancelled", then="cancel")


def _payout(account: Account, fresh: Fresh) -> Mapping[str, Any]:
    amount, payee = fresh.money(100, 900), fresh.payee()
    return payout_body(account, amount, payee)
