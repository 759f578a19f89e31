"""The SQL proxy: TCP in front, the database server behind, transparent between, and it counts.

One ``Endpoint`` stands before each replica, so that what a replica sends is told apart without its
help.
"""

from __future__ import annotations

import asyncio

from checks.testbed.control import SqlCount, Statement
from checks.testbed.sql_session import Session, Upstream
from checks.testbed.tally import Tally


class Endpoint:
    """One port of the proxy, and what has passed it; an asynchronous context manager.

    ``began`` is the loop's time that a statement's ``at`` counts from.
    """

    def __init__(self, upstream: Upstream, began: float) -> None:
        self._upstream = upstream
        self._tally = Tally(began)
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self.port = 0

    async def __aenter__(self) -> Endpoint:
        def session() -> Session:
            return Session(self._upstream, self._tally, self._sessions)

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(session, "127.0.0.1", 0, backlog=512)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.end()

    @property
    def count(self) -> SqlCount:
        """What has passed so far."""
        return self._tally.count

    def statements(self, since: int = 0) -> tuple[Statement, ...]:
        """The remembered executions from an index on."""
        return self._tally.statements(since)
