"""Several attacks at once, with one verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from checks.verdicts import Decision, Vulnerable


def _rank(error: BaseException) -> int:
    if isinstance(error, Vulnerable):
        return 0
    return 1 if isinstance(error, Decision) else -1


async def all_of(attacks: Iterable[Coroutine[Any, Any, object]], at_once: int = 24) -> None:
    """Let all attacks end, then raise the weightiest of what they raised, if they did.

    An unexpected exception, being the harness's own fault, goes before any verdict, and
    ``Vulnerable`` before ``Broken``.
    """
    room = asyncio.Semaphore(at_once)

    async def admitted(attack: Coroutine[Any, Any, object]) -> None:
        async with room:
            await attack

    tasks = [asyncio.create_task(admitted(attack)) for attack in attacks]
    try:
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
    raised = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if raised:
        raise min(raised, key=_rank)
