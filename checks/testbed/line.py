"""A simulator's line: the port at which one process of the service reaches it, and its gate.

Each replica has a line of its own, so that its calls are told from the others' without its help.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from checks.testbed.calls import REPLY, Call, CallGate
from checks.testbed.http import Answer, Handler, HttpServer, Received

#: A part of a path that names one thing among many.
_NAME = re.compile(r"/[^/]*\d[^/]*(?=/|$)")
_VERSION = re.compile(r"^/v\d+(?=/)")


class Line:
    """One port of a simulator's; ``start`` it, and ``stop`` it in the end.

    ``simulator`` is its name in the shapes of calls; ``handler`` is the simulator.
    """

    def __init__(self, simulator: str, handler: Handler) -> None:
        self._simulator = simulator
        self._handler = handler
        self._http = HttpServer(self._answer)
        self._gate: CallGate | None = None

    async def start(self) -> None:
        """Listen; the port is known from now on."""
        await self._http.start()

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        self.take_down_gate()
        await self._http.stop()

    @property
    def port(self) -> int:
        """The TCP port, at 127.0.0.1."""
        return self._http.port

    @property
    def url(self) -> str:
        """The address that the service is given."""
        return f"http://127.0.0.1:{self.port}"

    def put_up_gate(self, changed: Callable[[], None], *, open_: bool = False) -> CallGate:
        """Hold calls from now on, or as soon as it is no longer open."""
        self._gate = CallGate(changed, open_)
        return self._gate

    def take_down_gate(self) -> None:
        """Let everything through again."""
        if self._gate is not None:
            self._gate.let_all_go()
            self._gate = None

    async def _answer(self, received: Received) -> Answer | None:
        gate = self._gate
        if gate is None:
            return await self._handler(received)
        now = asyncio.get_running_loop().time
        version = _VERSION.match(received.path)
        path = received.path[version.end() if version else 0 :]
        shape = f"{self._simulator} {received.method} {_NAME.sub('/?', path)}"
        call = Call(shape, now(), f"{received.method} {received.path}")
        with gate.call(call):
            await gate.step(shape)
            answer = await self._handler(received)
            call.done = now()
            await gate.step(shape + REPLY)
            call.ended = now()
            call.said = str(answer.status) if answer is not None else ""
            return answer
