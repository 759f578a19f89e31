"""card-data-leak: a card's number ends up in logs, answers, events or tables (CWE-532)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.events import events_of
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.payouts import payout_body
from checks.probes import Attempt, probe
from checks.registry import check
from checks.tenants import Merchant, payment_body, transfer_body
from checks.verdicts import Vulnerable

_HINT = (
    "Refuse what holds a card's number before anything stores, logs or repeats it: look at every"
    " text that a client may fill, for 13 to 19 digits that pass the Luhn check, in one run or in"
    " groups; and log by an allow-list, never the input or an exception's message."
)

#: Seconds within which a request is in the log of whoever served it, and between two looks.
_LOGGED, _PAUSE = 5.0, 0.1

_TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


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
    for length in (13, 14, 15, 16, 19):
        number = fresh.card_number(length)
        yield _Written(number, number)
    for parts, separator in (((4, 4, 4, 4), " "), ((4, 4, 4, 4), "-"), ((4, 6, 5), " ")):
        number = fresh.card_number(sum(parts))
        ends = [sum(parts[: place + 1]) for place in range(len(parts))]
        groups = (number[end - part : end] for part, end in zip(parts, ends, strict=True))
        yield _Written(number, separator.join(groups))


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that holds a number, where in it, and its answer."""

    where: str
    number: _Written
    request: str
    answer: Answer


@check(
    "card-data-leak",
    needs=(*contract.refunds, *contract.transfers, *contract.payouts, *contract.events),
    competencies=("compliance.cards", "security.data-exposure"),
)
async def a_cards_number_goes_nowhere(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """A card's number is refused, and neither answered, told, logged nor stored.

    A look at logs and tables can only convict: what is stored encrypted is not seen.
    """
    sent = [one async for one in _send_all(alice, fresh)]
    with probe("the answers to requests that hold a card's number"):
        for one in sent:
            _absent(one, one.answer.content.decode(errors="replace"), "its answer")
    with probe("events, after such requests"):
        told = " ".join(str(event.data) for _, event in await events_of(alice))
        for one in sent:
            _absent(one, told, "an event")
    with probe("what the processes print, after such requests") as attempt:
        printed = await _printed(testbed, sent, attempt)
        for one in sent:
            _absent(one, printed, "a log")
    with probe("what the tables hold, after such requests"):
        await _not_stored(testbed, sent)
    for one in sent:
        expect_problem(one.answer, 422)


async def _send_all(alice: Merchant, fresh: Fresh) -> AsyncIterator[_Sent]:
    """Each kind of request that takes text, with each kind of number in each of its texts."""
    account, other = await alice.funded(), await alice.open_account()
    paid = await alice.pay(account=account)
    part = fresh.money(100, 900)
    payment = payment_body(account, fresh.money(1_000, 9_000), fresh.card())
    payout = payout_body(account, part, fresh.payee())
    others: Sequence[tuple[str, dict[str, Any]]] = (
        (f"{paid.url}/refunds", {"amount": part.json()}),
        ("/v1/transfers", transfer_body(account, other, part)),
        ("/v1/payouts", payout),
    )
    for number in _ways(fresh):
        for text in (
            {"payment_method": number.text},
            {"reference": number.text},
            {"description": f"card {number.text} {fresh.word()}"},
        ):
            yield await _send(alice, "/v1/payments", payment, text, number)
    token = fresh.card_number()
    method = {"payment_method": f"tok_{token}"}
    yield await _send(alice, "/v1/payments", payment, method, _Written(token, token))
    for path, body in others:
        number = _Written(digits := fresh.card_number(), digits)
        yield await _send(alice, path, body, {"reference": f"{fresh.word()} {digits}"}, number)


async def _send(
    alice: Merchant, path: str, body: dict[str, Any], text: dict[str, str], number: _Written
) -> _Sent:
    """Send a body in which one member is this text."""
    request, (member,) = alice.fresh.word(24), text
    answer = await alice.post(
        path, body | text, key=alice.fresh.key(), headers={"X-Request-Id": request}
    )
    return _Sent(f"the {member} of a POST {path}", number, request, answer)


def _absent(one: _Sent, text: str, where: str) -> None:
    if found := re.search(one.number.pattern, text):
        raise Vulnerable(
            f"{one.answer} to a card's number in {one.where}; its {len(one.number.digits)} digits"
            f" are in {where}: {found.group()[:6]}...",
            _HINT,
        )


async def _printed(testbed: Testbed, sent: Sequence[_Sent], attempt: Attempt) -> str:
    """What all processes have printed, once the last requests are in it; all that there is, if not.

    A service need not log at all, so that it is no fault if they never are.
    """
    deadline = asyncio.get_running_loop().time() + _LOGGED
    while True:
        tails = await testbed.control.logs(testbed.lease)
        printed = "\n".join(tail.text for tail in tails)
        seen = sum(one.request in printed for one in sent)
        if seen == len(sent) or asyncio.get_running_loop().time() > deadline:
            attempt.note(f"Of {len(sent)} requests {seen} are in the logs by their ids.")
            return printed
        await asyncio.sleep(_PAUSE)


async def _not_stored(testbed: Testbed, sent: Sequence[_Sent]) -> None:
    """No row of any table holds one of the numbers, however it is parted."""
    pattern = "|".join(one.number.pattern for one in sent)
    async with testbed.observer() as connection:
        for record in await connection.fetch(_TABLES):
            table = record[0]
            rows = await connection.fetch(
                f"SELECT row::text FROM {table} AS row WHERE row::text ~ $1 LIMIT 1",  # noqa: S608
                pattern,
            )
            for row in rows:
                for one in sent:
                    _absent(one, row[0], f"the table {table}")
