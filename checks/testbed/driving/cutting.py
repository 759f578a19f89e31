"""Cuts the power of a thread at a step: its connection, or its whole process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from checks.testbed.backends import gone
from checks.testbed.driving.schedule import Cut
from checks.testbed.driving.threads import Held, Thread
from checks.testbed.sql import gate


async def cut_off(
    thread: Thread,
    held: Held,
    cut: Cut,
    *,
    changed: Callable[[], Awaitable[object]],
    watcher: asyncpg.Connection[Any],
    tell: Callable[[str], None],
) -> bool:
    """Cut the power at the step that is held; whether there was anything to cut.

    ``tell`` is told in a few words what is lost, the moment that it is. Gives when the backends
    concerned have left: what they had not committed is undone by then. ``changed`` waits for
    anything to change. Raises ``TimeoutError`` where they do not leave.
    """
    endpoint = thread.process.endpoint
    conversation = held.conversation if isinstance(held, gate.Held) else None
    session = endpoint.session(conversation) if conversation is not None else None
    if conversation is not None and cut.when != "before":
        if cut.when == "unheard" and session is not None:
            session.deafen()
        held.release()
        while not conversation.answered:
            await changed()
    if cut.kills and thread.process.kill is not None:
        lost = endpoint.backends
        tell("its process is killed")
        await thread.process.kill()
        await gone(lost, watcher)
        return True
    if conversation is None or session is None:
        return False
    tell("its connection is cut")
    session.end()
    await gone((conversation.pid,), watcher)
    return True
