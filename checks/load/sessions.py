"""Having a service make new sessions, when its old ones were ended (``checks.testbed.backends``).

A session hands its figures in when it ends, and takes a database's settings when it begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from checks.attachment import Testbed
from checks.connections import Unanswered

#: More requests at once than a replica has connections (contract 7.4), and how often they are sent
#: for it to find that its connections are gone and to make new ones.
_POOL = 16
_ROUNDS = 20


async def reconnect(testbed: Testbed, replicas: Iterable[int]) -> None:
    """Let replicas find out that their connections are gone: all of a pool's at once.

    ``/readyz`` reads no table of the service's, so that this adds nothing to the figures.
    """
    for replica in replicas:
        for _ in range(_ROUNDS):
            answers = await asyncio.gather(*(_ready(testbed, replica) for _ in range(_POOL)))
            if all(answers):
                break


async def _ready(testbed: Testbed, replica: int) -> bool:
    base = testbed.lease.replicas[replica]
    try:
        answer = await testbed.connections.send("GET", f"{base}/readyz", [], None)
    except Unanswered:
        return False
    return answer.status < 300
