"""A confined process tree, as the harness holds it: started, heard and ended through its keeper."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from checks.testbed.errors import MachineError
from checks.testbed.order import Order

_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = (
    f"import sys; sys.path.append({_ROOT!r}); sys.dont_write_bytecode = True;"
    "from checks.testbed.keeper import main; main(int(sys.argv[1]))"
)
_LINE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Exit:
    """How the first process of a tree ended.

    ``status`` is its exit status, or minus the signal's number; ``limit`` is the bound (``memory``
    or ``disk``) that the tree passed, for which it was ended. ``log`` is the end of its output.
    """

    status: int
    limit: str | None
    log: str
    truncated: bool

    def describe(self) -> str:
        """Words that go on from "the service ..."."""
        if self.limit == "memory":
            return "used more memory than it may and was ended"
        if self.limit == "disk":
            return "wrote more to disk than it may and was ended"
        if self.status < 0:
            return f"was ended by signal {-self.status}"
        return f"exited with status {self.status}"


class CommandError(Exception):
    """The command itself cannot be executed (no such program, not executable)."""


class Process:
    """One process tree and its keeper; made by ``Process.start``."""

    def __init__(
        self,
        keeper: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._keeper = keeper
        self._reader = reader
        self._writer = writer
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._talking = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self.pid = 0
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(cls, order: Order, held: Sequence[int] = ()) -> Self:
        """Start the tree; returns once its first process has become the command.

        ``held`` are descriptors (locks) that the keeper, not the tree, keeps open until all is
        gone. Raises ``CommandError`` when there is no such command, ``MachineError`` when the
        process cannot be confined.
        """
        keeper, reader, writer = await _boot(order.to_json(), held)
        process = cls(keeper, reader, writer)
        try:
            line = await reader.readline()
            message = json.loads(line) if line else {"event": "crashed", "why": "it said nothing"}
            if message["event"] == "started":
                process.pid = int(message["pid"])
                process._listening = asyncio.create_task(process._listen())
                return process
            await process._leave()
        except BaseException:
            writer.close()
            raise
        if message.get("stage") == "execute":
            raise CommandError(message["why"])
        raise MachineError(f"A process could not be confined and started: {message['why']}")

    async def end(self) -> Exit:
        """End the whole tree and wait until it is gone; harmless when it has exited.

        May be called again, after it was cancelled too.
        """
        if not self._writer.is_closing():
            with suppress(OSError):
                self._writer.write(b"end\n")
        try:
            return await asyncio.shield(self.exited)
        finally:
            await self._leave()

    async def pause(self) -> None:
        """Stop the whole tree (SIGSTOP)."""
        await self._ask("pause")

    async def resume(self) -> None:
        """Let the whole tree run on (SIGCONT)."""
        await self._ask("resume")

    async def log(self) -> tuple[str, bool]:
        """The end of what the tree printed, and whether there was more before it."""
        if not self.exited.done():
            answer = await self._ask("log")
            if answer is not None:
                return str(answer["log"]), bool(answer["truncated"])
        exit_ = await asyncio.shield(self.exited)
        return exit_.log, exit_.truncated

    async def _ask(self, command: str) -> dict[str, Any] | None:
        async with self._talking:
            if self.exited.done():
                return None
            self._writer.write(command.encode() + b"\n")
            answer = asyncio.ensure_future(self._answers.get())
            await asyncio.wait((answer, self.exited), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            answer.cancel()
            return None

    async def _listen(self) -> None:
        why = "its keeper was killed"
        try:
            while line := await self._reader.readline():
                message = json.loads(line)
                if message["event"] == "exit":
                    del message["event"]
                    self.exited.set_result(Exit(**message))
                    return
                if message["event"] == "crashed":
                    why = message["why"]
                else:
                    self._answers.put_nowait(message)
        except (OSError, ValueError) as error:
            why = str(error)
        finally:
            if not self.exited.done():
                self.exited.set_result(Exit(-9, None, f"[the process was lost: {why}]", True))

    async def _leave(self) -> None:
        self._writer.close()
        if self._listening:
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._keeper.wait()


class Janitor:
    """Removes the harness's run folder once the harness is gone, however it went."""

    def __init__(self, keeper: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
        self._keeper = keeper
        self._writer = writer

    @classmethod
    async def start(cls, folder: Path) -> Self:
        """Watch over a folder that holds a file ``lock``, which every keeper shares."""
        keeper, _, writer = await _boot(json.dumps({"clean": str(folder)}), ())
        return cls(keeper, writer)

    async def clean(self) -> None:
        """Remove the folder now; waits for keepers that have not left yet."""
        self._writer.close()
        await self._keeper.wait()


async def _boot(
    order: str, held: Sequence[int]
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamWriter]:
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            keeper = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-c", _BOOT, str(theirs.fileno())),
                pass_fds=(theirs.fileno(), *held),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
            )
        except BaseException:
            ours.close()
            raise
    reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
    writer.write(order.encode() + b"\n")
    return keeper, reader, writer
