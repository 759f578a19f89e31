"""Runs a command's coroutine, and lets it end what it started however it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class StoppedError(Exception):
    """The command was told to stop (SIGTERM, SIGHUP); everything it started has been ended."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run``, on uvloop, where SIGTERM and SIGHUP cancel like Ctrl-C does.

    Raises ``StoppedError`` after those two, ``KeyboardInterrupt`` after Ctrl-C.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_with_signals(main))


async def _with_signals(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    stopped: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        stopped.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            raise StoppedError(stopped[0].name) from None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
