"""Several attacks at once, with one verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from checks.verdicts import Decision, Vulnerable

_T = TypeVar("_T")


def _rank(error: BaseException) -> int:
    if isinstance(error, Vulnerable):
        return 0
    return 1 if isinstance(error, Decision) else -1


async def all_of(
    attacks: Iterable[Coroutine[Any, Any, _T]], at_once: int = 24, *, hasty: bool = False
) -> list[_T]:
    """What all attacks gave, in their order; or the weightiest of what they raised is raised.

    An unexpected exception, being the harness's own fault, goes before any verdict, and
    ``Vulnerable`` before ``Broken``. All come to their ends first, so that the same is raised each
    time; if ``hasty``, only until one has found the service ``Vulnerable``.
    """
    room = asyncio.Semaphore(at_once)

    async def admitted(attack: Coroutine[Any, Any, _T]) -> _T:
        async with room:
            return await attack

    given = list(attacks)
    tasks = [asyncio.create_task(admitted(attack)) for attack in given]
    try:
        await _ended(tasks, hasty=hasty)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for attack in given:
            attack.close()
    raised = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError)
    ]
    if raised:
        raise min(raised, key=_rank)
    return [task.result() for task in tasks]


async def _ended(tasks: Iterable[asyncio.Task[Any]], *, hasty: bool) -> None:
    """Wait for all; if ``hasty``, at most until one has raised ``Vulnerable``."""
    left = set(tasks)
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_EXCEPTION)
        errors = [task.exception() for task in done if not task.cancelled()]
        if hasty and any(isinstance(error, Vulnerable) for error in errors):
            return
