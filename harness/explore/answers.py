"""Answers of any service: which ask to come again, and values found in them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from decimal import Decimal
from typing import Any

from checks.client import Answer

#: Seconds for which a request that is put off is sent again, and the longest pause before.
SETTLED, _LONGEST = 10.0, 2.0
_PAUSE = 0.1

#: Statuses that are no answer of the business: whoever gets them is to come again.
_LATER = (429, 503)


async def come_again(
    answers: Sequence[Answer],
    again: Sequence[Callable[[], Awaitable[Answer]]],
    retry: Sequence[Collection[int]],
) -> tuple[Answer, ...]:
    """Send the requests that lost again, one after the other, until each has its answer.

    ``retry`` are the statuses that ask for it, for each request. With nobody else about, the same
    answer twice running is the answer, but for 429 and 503, which are asked again for ``SETTLED``
    seconds.
    """
    final = list(answers)
    deadline = asyncio.get_running_loop().time() + SETTLED
    for number, resend in enumerate(again):
        pause = 0.0
        while final[number].status in retry[number]:
            if asyncio.get_running_loop().time() + pause > deadline:
                break
            await asyncio.sleep(pause)
            before, final[number] = final[number], await resend()
            same = (before.status, before.content) == (final[number].status, final[number].content)
            if same and before.status not in _LATER:
                break
            pause = min(final[number].retry_after or _PAUSE, _LONGEST)
    return tuple(final)


def member(value: Any, path: str) -> Any:
    """What stands at ``data.0.id`` of a JSON value; raises ``LookupError``."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value[part]
        else:
            raise LookupError(part)
    return value


def difference(found: Any, expected: Any, path: str = "") -> str:
    """In which way a JSON value is not what was expected; empty where it is.

    An object may have more members than are expected.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = {f"{path}.{key}".lstrip("."): (found.get(key), expected[key]) for key in expected}
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(found) != len(expected):
            return f"{path or 'it'} has {len(found)} and not {len(expected)} entries"
        both = enumerate(zip(found, expected, strict=True), 1)
        pairs = {f"{path}[{number}]": pair for number, pair in both}
    elif _same(found, expected):
        return ""
    else:
        return f"{path or 'it'} is {_shown(found)} and not {_shown(expected)}"
    said = (difference(one, other, where) for where, (one, other) in pairs.items())
    return next((one for one in said if one), "")


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    numbers = (int, float, Decimal)
    if isinstance(found, numbers) and isinstance(expected, numbers):
        return Decimal(str(found)) == Decimal(str(expected))
    if isinstance(expected, str) and not isinstance(found, str) and found is not None:
        return str(found) == expected
    return bool(found == expected)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)
