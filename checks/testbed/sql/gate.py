"""The statement gate: stops what a replica's sessions would execute, until each is let go.

It stands in the client's half of every session of one endpoint. Only what executes is stopped
(Execute, simple Query, function call), and of that only what others can tell: BEGIN, SET, pings and
the like pass. An Execute is stopped together with the Parse, Bind and Describe before it, because
those take the snapshot that it reads with; and where a client first prepares, and waits for that,
the preparation is stopped too: it is the first to look in a transaction that keeps its snapshot.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from checks.testbed.sql.conversation import Conversation
from checks.testbed.sql.frames import Frame, Sent, text
from checks.testbed.sql.statement import Statement, understand
from checks.testbed.sql.tally import Execution

#: What begins an execution, and what only prepares one.
_EXECUTES = frozenset({Sent.EXECUTE, Sent.QUERY, Sent.CALL})
_PREPARES = frozenset({Sent.PARSE, Sent.BIND, Sent.DESCRIBE, Sent.CLOSE})

_FLUSH = b"H\0\0\0\4"


@dataclass(frozen=True, slots=True)
class Passed:
    """A statement that went through; ``stopped`` tells whether it was held first."""

    statement: Statement
    execution: Execution
    stopped: bool


@dataclass(eq=False, frozen=True, slots=True)
class Held:
    """A statement that waits at a gate, and ``release``, which lets it go.

    It is about to be executed, or only to be prepared.
    """

    statement: Statement
    conversation: Conversation
    release: Callable[[], None]
    executes: bool = True

    @property
    def shape(self) -> str:
        """What it is recognised by."""
        return self.statement.shape if self.executes else f"prepare {self.statement.shape}"


@dataclass(slots=True)
class Gate:
    """One endpoint's. ``changed`` is called whenever anything here or in a session changes.

    ``waiting`` are the statements that are held, first come first; while ``open``, none is.
    ``passed`` is what went through since the gate was put up. ``broken`` names what happened to a
    session because it was held, if anything did.
    """

    changed: Callable[[], None]
    open: bool = False
    waiting: list[Held] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    broken: str = ""

    def let_all_go(self) -> None:
        """Hold nothing any more."""
        self.open = True
        while self.waiting:
            self.waiting[0].release()

    def ended(self, held: Held) -> None:
        """Its session has ended, from whichever side."""
        self.waiting.remove(held)
        self.broken = "a session ended while its statement was held"

    def cancelled(self, pid: int) -> None:
        """The service asks to cancel what a backend does."""
        if any(held.conversation.pid == pid for held in self.waiting):
            self.broken = "the service cancelled a statement that was held"


class Queue:
    """What one session's client has sent and the gate has not let through yet."""

    def __init__(
        self, gate: Gate, conversation: Conversation, write: Callable[[bytes], None]
    ) -> None:
        self._gate = gate
        self._conversation = conversation
        self._write = write
        self._frames: deque[Frame] = deque()
        self._held: Held | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is kept back."""
        return not self._frames

    @property
    def size(self) -> int:
        """Bytes that are kept back."""
        return sum(len(frame.raw) for frame in self._frames)

    def admit(self, frame: Frame) -> None:
        """Take a frame from the client: pass it on, or keep it."""
        self._frames.append(frame)
        if self._held is None:
            self._advance()

    def answered(self) -> None:
        """The server has answered something: what it will ignore need not wait."""
        if self._held is not None and self._conversation.skipping:
            self._gate.waiting.remove(self._held)
            self._held = None
            self._advance()
        self._gate.changed()

    def drain(self) -> None:
        """Send what is left, which can only be the beginning of something."""
        if self._frames:
            self._pass(len(self._frames) - 1)

    def abandon(self) -> None:
        """The session has ended."""
        if self._held is not None:
            self._gate.ended(self._held)
            self._held = None

    def _release(self) -> None:
        if self._held is None:
            return
        held, self._held = self._held, None
        self._gate.waiting.remove(held)
        if not held.executes:
            self._pass_first()
            self._advance()
            return
        self._execute(held.statement, stopped=True)
        synced = self._advance()
        if not synced and not self._conversation.answered:
            # It may be followed by others before a Sync: the server is to answer it meanwhile.
            self._write(_FLUSH)

    def _advance(self) -> bool:
        """Pass on what need not be held; gives whether a Sync was among it."""
        synced = False
        while (found := self._first()) is not None:
            place, kind = found
            executes = kind in _EXECUTES
            statement = self._executed(place) if executes else self._prepared(place)
            if statement is not None and not (self._gate.open or self._conversation.skipping):
                self._held = Held(statement, self._conversation, self._release, executes)
                self._gate.waiting.append(self._held)
                break
            synced |= kind == Sent.SYNC
            if executes and not self._conversation.skipping:
                self._execute(self._understood(place)[0], stopped=False)
            else:
                self._pass(place)
        self._gate.changed()
        return synced

    def _first(self) -> tuple[int, int] | None:
        """Where the first frame stands that more than prepares, and its type."""
        for place, frame in enumerate(self._frames):
            if frame.kind not in _PREPARES:
                return place, frame.kind
        return None

    def _executed(self, place: int) -> Statement | None:
        """The statement that the frame there executes, if it is to be stopped before."""
        statement, begun = self._understood(place)
        # A COMMIT or ROLLBACK of nothing, which pools send, ends nothing.
        nothing = self._conversation.idle and statement.ends and not statement.tables
        return statement if statement.point and not begun and not nothing else None

    def _prepared(self, place: int) -> Statement | None:
        """What is only prepared or bound in the frames before, if it is to be stopped."""
        before = list(itertools.islice(self._frames, place))
        texts = []
        for frame in before:
            if frame.kind == Sent.PARSE:
                texts.append(text(frame.payload.partition(b"\0")[2]))
            elif frame.kind == Sent.BIND:
                name = frame.payload.partition(b"\0")[0]
                texts.append(self._conversation.portal(name, before).prepared.text)
        return next((one for one in map(understand, texts) if one.point), None)

    def _understood(self, place: int) -> tuple[Statement, bool]:
        """The statement that the frame there executes, and whether it has begun before."""
        frame = self._frames[place]
        if frame.kind == Sent.QUERY:
            return understand(text(frame.payload)), False
        if frame.kind == Sent.CALL:
            return understand("call"), False
        before = list(itertools.islice(self._frames, place))
        portal = self._conversation.portal(frame.payload.partition(b"\0")[0], before)
        return understand(portal.prepared.text), portal.begun

    def _execute(self, statement: Statement, *, stopped: bool) -> None:
        execution = self._pass_first()
        if execution is not None:
            self._gate.passed.append(Passed(statement, execution, stopped))

    def _pass_first(self) -> Execution | None:
        found = self._first()
        return self._pass(found[0]) if found is not None else None

    def _pass(self, place: int) -> Execution | None:
        """Send the frames up to that one; gives the execution that the last of them begins."""
        execution = None
        sending = bytearray()
        for _ in range(place + 1):
            frame = self._frames.popleft()
            execution = self._conversation.sent(frame.kind, frame.payload)
            sending += frame.raw
        self._write(bytes(sending))
        return execution
