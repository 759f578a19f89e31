"""The SQL proxy: TCP in front, the database server behind, transparent between, and it counts.

One ``Endpoint`` stands before each replica, so that what a replica sends is told apart without its
help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from checks.testbed.control import SqlCount, SqlSession, Statement
from checks.testbed.sql.conversation import Conversation
from checks.testbed.sql.gate import Gate
from checks.testbed.sql.session import Session, Upstream
from checks.testbed.sql.tally import Tally


class Endpoint:
    """One port of the proxy, and what has passed it; an asynchronous context manager.

    ``began`` is the loop's time that a statement's ``at`` counts from; ``port`` is any free one,
    unless it is given.
    """

    def __init__(self, upstream: Upstream, began: float, port: int = 0) -> None:
        self._upstream = upstream
        self._tally = Tally(began)
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._gate: Gate | None = None
        self.port = port

    async def __aenter__(self) -> Endpoint:
        def session() -> Session:
            made = Session(self._upstream, self._tally, self._sessions)
            if self._gate is not None:
                made.put_up(self._gate)
            return made

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(session, "127.0.0.1", self.port, backlog=512)
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

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """The sessions that are open, as they stand."""
        asked = (session.conversation for session in self._sessions)
        return tuple(one for one in asked if one.pid)

    @property
    def sessions(self) -> tuple[SqlSession, ...]:
        """The same, to be told."""
        return tuple(
            SqlSession(session=one.number, pid=one.pid, since=one.since)
            for one in self.conversations
        )

    @property
    def quiet(self) -> bool:
        """Whether every session is idle, in no transaction, with nothing under way or held."""
        return all(session.quiet for session in self._sessions)

    def set_aside(self) -> None:
        """Wait no more for the sessions that are not quiet, while the gate stands."""
        for session in self._sessions:
            if not session.quiet:
                session.set_aside()

    @property
    def executing(self) -> tuple[int, ...]:
        """The backends that have not answered all they were sent."""
        asked = (session.conversation for session in self._sessions)
        return tuple(one.pid for one in asked if one.pid and not one.answered)

    @property
    def backends(self) -> tuple[int, ...]:
        """The server's processes behind its sessions."""
        return tuple(one.conversation.pid for one in self._sessions if one.conversation.pid)

    def session(self, conversation: Conversation) -> Session | None:
        """The session that a conversation is led in, while it lasts."""
        found = (one for one in self._sessions if one.conversation is conversation)
        return next(found, None)

    def put_up_gate(self, changed: Callable[[], None], *, open_: bool = False) -> Gate:
        """Hold statements from now on, or as soon as it is no longer open.

        ``changed`` is called when anything has changed.
        """
        self._gate = Gate(changed, open_)
        self._tally.looking = True
        for session in self._sessions:
            session.put_up(self._gate)
        return self._gate

    def take_down_gate(self) -> None:
        """Let everything through again."""
        if self._gate is not None:
            self._gate.let_all_go()
            self._gate = None
        self._tally.looking = False
        for session in self._sessions:
            session.take_down()
