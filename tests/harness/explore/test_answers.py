"""Who lost comes again until there is an answer; what was expected is compared member by member."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from checks.client import Answer
from harness.explore.answers import come_again, difference, member
from tests.harness.explore.samples import answer

AGAIN = (409, 423, 429, 503)


async def settled(*answers: Answer, retry: tuple[int, ...] = AGAIN) -> tuple[Answer, int]:
    """The final answer of one request that gets these in turn, and how often it was sent again."""
    coming = list(answers[1:])
    sent = 0

    async def again() -> Answer:
        nonlocal sent
        sent += 1
        return coming.pop(0)

    resend: Callable[[], Awaitable[Answer]] = again
    (final,) = await come_again(answers[:1], [resend], [retry])
    return final, sent


@pytest.mark.parametrize(
    ("answers", "final", "sent"),
    [
        ([answer(201)], 201, 0),
        ([answer(422)], 422, 0),
        ([answer(500)], 500, 0),
        ([answer(409, "changed"), answer(201)], 201, 1),
        ([answer(409, "changed"), answer(409, "sold"), answer(409, "sold")], 409, 2),
        ([answer(503), answer(503), answer(503), answer(201)], 201, 3),
    ],
)
async def test_a_loser_comes_again_until_the_answer_stands(
    answers: list[Answer], final: int, sent: int
) -> None:
    last, count = await settled(*answers)
    assert (last.status, count) == (final, sent)


async def test_what_is_not_to_be_retried_is_not() -> None:
    last, count = await settled(answer(409), answer(201), retry=())
    assert (last.status, count) == (409, 0)


def test_a_member_is_found_by_its_way() -> None:
    value = {"data": [{"id": 4}, {"id": None}]}
    assert member(value, "data.0.id") == 4
    assert member(value, "data.1.id") is None
    for missing in ("data.2.id", "data.id", "nothing", "data.0.id.more"):
        with pytest.raises(LookupError):
            member(value, missing)


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, ""),
        ({"a": 1}, {"a": 2}, "a is 1 and not 2"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[2] is 2 and not 3"),
        ({"a": [1]}, {"a": []}, "a has 1 and not 0 entries"),
        ({}, {"a": 1}, "a is nothing and not 1"),
        (Decimal("40.00"), 40, ""),
        (Decimal("0.1"), 0.1, ""),
        (1, True, "it is 1 and not true"),
        (False, True, "it is false and not true"),
        (None, 0, "it is nothing and not 0"),
    ],
)
def test_the_first_difference_is_told(found: Any, expected: Any, said: str) -> None:
    assert difference(found, expected) == said
