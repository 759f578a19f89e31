"""card-data-leak: a card's number ends up in logs, answers, events or tables (CWE-532)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.events import events_of
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.payouts import payout_body
from checks.probes import Attempt, probe
from checks.registry import check
from checks.tables import TABLES
from checks.tenants import Merchant, payment_body, transfer_body
from checks.verdicts import Vulnerable

_HINT = (
    "Refuse what holds a card's number before anything stores, logs or repeats it: look at every"
    " text that a client may fill, for 13 to 19 digits that pass the Luhn check, in one run or in"
    " groups; and log by an allow-list, never the input or an exception's message."
)

#: Seconds within which a request is in the log of whoever served it, and between two looks.
_LOGGED, _PAUSE = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class _Written:
    """A card's number as somebody may type it: its digits, and the text."""

    digits: str
    text: str

    @property
    def pattern(self) -> str:
        """Finds it, however its digits are parted (also as PostgreSQL reads patterns)."""
        return "[ .-]*".join(self.digits)


def _ways(fresh: Fresh) -> Iterator[_Written]:
    """Numbers of each length, and in the groups that are printed on cards (contract 6.5)."""
    for length in range(13, 20):
        yield _in_one_run(fresh, length)
    for parts, separator in product(((4, 4, 4, 4), (4, 6, 5)), " -"):
        number = fresh.card_number(sum(parts))
        ends = [sum(parts[: place + 1]) for place in range(len(parts))]
        groups = (number[end - part : end] for part, end in zip(parts, ends, strict=True))
        yield _Written(number, separator.join(groups))


def _in_one_run(fresh: Fresh, length: int = 16) -> _Written:
    """So many digits with nothing between them."""
    number = fresh.card_number(length)
    return _Written(number, number)


@dataclass(frozen=True, slots=True)
class _Request:
    """A ``POST`` of a body in which a member holds a number; it may be ``cut`` short of its end."""

    by: Client
    path: str
    body: Mapping[str, Any]
    member: str
    number: _Written
    cut: bool = False

    def __str__(self) -> str:
        broken = ", which is no JSON" if self.cut else ""
        return f"the {self.member} of a POST {self.path}{broken}"

    async def send(self, fresh: Fresh) -> _Sent:
        """Send it under an id of its own."""
        content, id_ = json.dumps(self.body).encode(), fresh.word(24)
        answer = await self.by.post(
            self.path,
            content=content[:-1] if self.cut else content,
            key=fresh.key(),
            headers={"X-Request-Id": id_},
        )
        return _Sent(self, id_, answer)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that was sent, with its id, and its answer."""

    request: _Request
    id: str
    answer: Answer

    @property
    def number(self) -> _Written:
        """The number that it holds."""
        return self.request.number


@check(
    "card-data-leak",
    needs=(*contract.refunds, *contract.transfers, *contract.payouts, *contract.events),
    competencies=("compliance.cards", "security.data-exposure"),
)
async def a_cards_number_goes_nowhere(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """A card's number is refused, and neither answered, told, logged nor stored.

    A look at logs and tables can only convict: what is stored encrypted is not seen.
    """
    sent: list[_Sent] = []
    async for request in _requests(alice, fresh):
        sent.append(await request.send(fresh))
        # Now, since only the last of what a process prints is kept, and others make it print too.
        _absent(sent[-1], await _printed(testbed), "a log")
    with probe("the answers to requests that hold a card's number"):
        for one in sent:
            _absent(one, one.answer.content.decode(errors="replace"), "its answer")
    with probe("events, after such requests"):
        told = " ".join(str(event.data) for _, event in await events_of(alice))
        for one in sent:
            _absent(one, told, "an event")
    with probe("what the processes print, after such requests") as attempt:
        printed = await _printed_by_now(testbed, sent, attempt)
        for one in sent:
            _absent(one, printed, "a log")
    with probe("what the tables hold, after such requests"):
        await _not_stored(testbed, sent)
    for one in sent:
        # A body that is no JSON may be 400, too (contract 1.3).
        expect_problem(one.answer, *((400, 422) if one.request.cut else (422,)))


async def _requests(alice: Merchant, fresh: Fresh) -> AsyncIterator[_Request]:
    """Each kind of request that takes text, with each kind of number in each of its texts.

    Besides, members that no body has (contract 6.5), and a body that cannot be read.
    """
    account, other = await alice.funded(), await alice.open_account()
    paid = await alice.pay(account=account)
    part = fresh.money(100, 900)
    payment = payment_body(account, fresh.money(1_000, 9_000), fresh.card())

    def paying(member: str, value: object, number: _Written, *, cut: bool = False) -> _Request:
        body = {**payment, member: value}
        return _Request(alice.owner, "/v1/payments", body, member, number, cut)

    for number in _ways(fresh):
        yield paying("payment_method", number.text, number)
        yield paying("reference", number.text, number)
        yield paying("description", f"card {number.text} {fresh.word()}", number)
    number = _in_one_run(fresh)
    yield paying("payment_method", f"tok_{number.text}", number)
    number = _in_one_run(fresh)
    yield paying("number", number.text, number)
    number = _in_one_run(fresh)
    yield paying("card", {"number": number.text, "cvc": str(fresh.number(100, 999))}, number)
    number = _in_one_run(fresh)
    yield paying("description", number.text, number, cut=True)

    deposit = {"account": account.id, "amount": part.json()}
    for by, path, body in (
        (alice.owner, f"{paid.url}/refunds", {"amount": part.json()}),
        (alice.owner, "/v1/transfers", transfer_body(account, other, part)),
        (alice.owner, "/v1/payouts", payout_body(account, part, fresh.payee())),
        (alice.platform.client, "/v1/deposits", deposit),
    ):
        number = _in_one_run(fresh)
        text = {"reference": f"{fresh.word()} {number.text}"}
        yield _Request(by, path, {**body, **text}, "reference", number)


def _absent(one: _Sent, text: str, where: str) -> None:
    if found := re.search(one.number.pattern, text):
        raise Vulnerable(
            f"{one.answer} to a card's number in {one.request}; its {len(one.number.digits)} digits"
            f" are in {where}: {found.group()[:6]}...",
            _HINT,
        )


async def _printed(testbed: Testbed) -> str:
    """The last of what each process has printed."""
    tails = await testbed.control.logs(testbed.lease)
    return "\n".join(tail.text for tail in tails)


async def _printed_by_now(testbed: Testbed, sent: Sequence[_Sent], attempt: Attempt) -> str:
    """The same, once the last requests are in it; all that there is, if not.

    A service need not log at all, so that it is no fault if they never are.
    """
    deadline = asyncio.get_running_loop().time() + _LOGGED
    while True:
        printed = await _printed(testbed)
        seen = sum(one.id in printed for one in sent)
        if seen == len(sent) or asyncio.get_running_loop().time() > deadline:
            attempt.note(f"Of {len(sent)} requests {seen} are in the logs by their ids.")
            return printed
        await asyncio.sleep(_PAUSE)


async def _not_stored(testbed: Testbed, sent: Sequence[_Sent]) -> None:
    """No row of any table holds one of the numbers, however it is parted."""
    pattern = "|".join(one.number.pattern for one in sent)
    async with testbed.observer() as connection:
        for record in await connection.fetch(TABLES):
            table = record[0]
            rows = await connection.fetch(
                f"SELECT row::text FROM {table} AS row WHERE row::text ~ $1 LIMIT 1",  # noqa: S608
                pattern,
            )
            for row in rows:
                for one in sent:
                    _absent(one, row[0], f"the table {table}")
