"""cursor-cross-tenant: a cursor or a filter reaches another merchant's rows (CWE-639)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from checks import contract
from checks.amounts import money
from checks.client import Answer
from checks.expectations import expect_problem
from checks.gathering import all_of
from checks.lists import of_list
from checks.probes import probe
from checks.registry import check
from checks.shapes import Page
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Ask for the caller's rows in the query itself, whatever a cursor or a filter says, and refuse"
    " a cursor that was not given out for this very list of this very merchant."
)

_NEEDS = (*contract.lists, *contract.transfers, *contract.refunds, *contract.events)


@dataclass(frozen=True, slots=True)
class _Lists:
    """A merchant with two rows or more in each of its lists; made by ``fill``.

    ``names`` are the ids that only its own lists hold.
    """

    merchant: Merchant
    paths: dict[str, str]
    names: frozenset[str]

    @classmethod
    async def fill(cls, merchant: Merchant) -> Self:
        """Two accounts, transfers, payments, refunds of one of them, and clients."""
        source, target = await merchant.funded(), await merchant.open_account()
        transfers = [await merchant.transfer(source, target, money("1.00 GBP")) for _ in range(2)]
        payments = [await merchant.pay(account=source) for _ in range(3)]
        refunds = [await merchant.refund(payments[0], money("0.10 GBP")) for _ in range(2)]
        clients = [await merchant.create_client("viewer") for _ in range(2)]
        paths = {
            "accounts": "/v1/accounts",
            "entries": f"{source.url}/entries",
            "transfers": "/v1/transfers",
            "payments": "/v1/payments",
            "payments by amount": "/v1/payments?sort=amount",
            "payments by status": "/v1/payments?status=captured",
            "refunds": f"{payments[0].url}/refunds",
            "events": "/v1/events",
            "events of one payment": f"/v1/events?object={payments[0].id}",
            "clients": "/v1/clients",
            "audit records": "/v1/audit",
        }
        names = {merchant.id, source.id, target.id}
        names |= {one.id for one in transfers} | {one.id for one in payments}
        names |= {one.id for one in refunds} | {one.id for one in clients}
        return cls(merchant, paths, frozenset(names))

    async def cursor(self, name: str) -> str:
        """What leads from the first row of a list to the others."""
        answer = (await self.merchant.get(of_list(self.paths[name], limit=1))).expect(200)
        found = answer.read(Page).next_cursor
        if found is None:
            raise Broken(f"{answer} without a next page, though there are more {name}.")
        return found

    def shown(self, answer: Answer) -> list[str]:
        """What of this merchant's an answer shows."""
        text = answer.content.decode("utf-8", "replace")
        return sorted(name for name in self.names if answer.ok and name in text)

    def hidden(self, answer: Answer, how: str) -> Answer:
        """The answer, if it shows nothing of this merchant's; else raises ``Vulnerable``."""
        if names := self.shown(answer):
            raise Vulnerable(f"{answer} to another merchant {how}, and shows {names[0]}.", _HINT)
        return answer


@check("cursor-cross-tenant", needs=_NEEDS, competencies=("security.authorisation",))
async def a_cursor_is_good_for_its_own_list(alice: Merchant, bob: Merchant) -> None:
    """A cursor of another merchant's, or one made from an own one, shows nothing and is refused."""
    hers, his = await all_of([_Lists.fill(alice), _Lists.fill(bob)])
    words = dict(zip((bob.id, *_ids(his)), (alice.id, *_ids(hers)), strict=True))
    refused: list[Answer] = []
    for name, path in his.paths.items():
        with probe(f"bob goes on in lists of {name} with a cursor of alice's") as attempt:
            theirs, own = await hers.cursor(name), await his.cursor(name)
            if hers.shown(await bob.get(path)) or hers.shown(await bob.get(hers.paths[name])):
                attempt.note("He sees it without a cursor: another check's matter.")
                continue
            answer = await bob.get(of_list(path, cursor=theirs))
            refused.append(hers.hidden(answer, "with a cursor of alice's"))
            for forged in _forged(own, words):
                answer = await bob.get(of_list(path, cursor=forged))
                refused.append(hers.hidden(answer, "with a cursor that was made up"))
            for cursor in (theirs, own):
                answer = await bob.get(of_list(hers.paths[name], cursor=cursor))
                hers.hidden(answer, "in the middle of a list of alice's")
    for answer in refused:
        expect_problem(answer, 422)


@check("cursor-cross-tenant", needs=_NEEDS, competencies=("security.authorisation",))
async def a_filter_finds_the_callers_own_alone(alice: Merchant, bob: Merchant) -> None:
    """A list that is filtered by another merchant, or by what is hers, shows nothing of hers."""
    hers = await _Lists.fill(alice)
    for name, path in hers.paths.items():
        plain, _, filtered = path.partition("?")
        if any(id_ in plain for id_ in hers.names):
            continue
        with probe(f"bob filters the list of {name}") as attempt:
            if hers.shown(await bob.get(plain)):
                attempt.note("He sees it without a filter: another check's matter.")
                continue
            if filtered:
                hers.hidden(await bob.get(path), f"by {filtered}")
            for member in ("merchant", "merchant_id", "merchantId", "account"):
                for value in sorted(hers.names):
                    if value.startswith(("mer_", "acc_")):
                        answer = await bob.get(of_list(plain, **{member: value}))
                        hers.hidden(answer, f"by {member}={value}")


def _ids(lists: _Lists) -> list[str]:
    """The ids in its paths, in their order."""
    words = "/".join(lists.paths.values()).replace("=", "/").split("/")
    return list(dict.fromkeys(word for word in words if word.startswith(("acc_", "pay_"))))


def _forged(cursor: str, words: dict[str, str]) -> Iterator[str]:
    """Cursors with other words in them, if its words can be read at all."""
    for read, write in _WAYS:
        try:
            plain = read(cursor.encode())
        except (ValueError, binascii.Error):
            continue
        forged = plain
        for word, other in words.items():
            forged = forged.replace(word.encode(), other.encode())
        if forged != plain:
            yield write(forged).decode().rstrip("=")


def _padded(text: bytes) -> bytes:
    return text + b"=" * (-len(text) % 4)


_Recode = Callable[[bytes], bytes]

#: How a cursor may be written, and read.
_WAYS: tuple[tuple[_Recode, _Recode], ...] = (
    (lambda text: base64.urlsafe_b64decode(_padded(text)), base64.urlsafe_b64encode),
    (binascii.unhexlify, binascii.hexlify),
    (bytes, bytes),
)
