"""Where a session stands: what was prepared and asked, what is answered, and what is open yet.

It only reads along. Frames are told in the order in which they pass; nothing is ever sent from
here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from checks.testbed.sql.frames import Frame, Got, Sent, row_count, text
from checks.testbed.sql.tally import ROWS_SEEN, Execution, Tally

#: What a reader of both directions wants to be told; rows only while values are looked at.
SENT = bytes(Sent)
GOT = bytes(kind for kind in Got if kind is not Got.ROW)
GOT_LOOKING = bytes(Got)


#: Names of statements and of portals that are remembered in a session.
_MOST_NAMES = 5_000

Named = TypeVar("Named")


@dataclass(slots=True)
class Prepared:
    """A prepared statement; its descriptions once it was described."""

    text: str = ""
    parameters: bytes = b""
    columns: bytes = b""


@dataclass(slots=True)
class Portal:
    """A prepared statement with its values; ``begun`` once it was executed."""

    prepared: Prepared
    bound: bytes = b""
    columns: bytes = b""
    begun: bool = False


@dataclass(frozen=True, slots=True)
class _Described:
    """A description that was asked for, of one or the other."""

    of: Prepared | Portal


@dataclass(frozen=True, slots=True)
class _Run:
    """An execution under way; ``limit`` is the most rows it asked for (0: all)."""

    execution: Execution
    limit: int


@dataclass(frozen=True, slots=True)
class _Simple:
    """A simple query or function call: any number of completions, then the session is ready."""

    execution: Execution


class _Synced:
    """A Sync, at which the session becomes ready and errors end."""


_SYNC = _Synced()


@dataclass(slots=True)
class Conversation:
    """One session's; ``number`` is the session's in the tally.

    ``pid`` is the backend's process, 0 while the session is being opened. ``status`` is what the
    last ReadyForQuery said: ``I`` idle, ``T`` in a transaction, ``E`` in a failed one. ``since`` is
    when the transaction under way began, explicit or of a single statement, as the tally counts;
    ``None`` between two.
    """

    tally: Tally
    number: int
    pid: int = 0
    status: str = ""
    _prepared: dict[bytes, Prepared] = field(default_factory=dict)
    _portals: dict[bytes, Portal] = field(default_factory=dict)
    _open: deque[_Described | _Run | _Simple | _Synced] = field(default_factory=deque)
    _active: bool = False
    _latest: Execution | None = None
    _skipping: bool = False
    _copying: bool = False
    since: float | None = None

    @property
    def answered(self) -> bool:
        """Whether everything that was sent has its answer."""
        return bool(self.status) and not self._open

    @property
    def idle(self) -> bool:
        """Whether it is answered, and in no transaction."""
        return self.answered and self.status == "I"

    @property
    def skipping(self) -> bool:
        """Whether the server ignores everything until the next Sync, after an error."""
        return self._skipping

    # --- what the client sends ---

    def sent(self, kind: int, payload: bytes) -> Execution | None:
        """A frame goes to the server; gives the execution that it begins, if it begins one."""
        match kind:
            case Sent.PARSE:
                name, _, rest = payload.partition(b"\0")
                _keep(self._prepared, name, Prepared(text(rest)))
            case Sent.BIND:
                name, portal = self._bound(payload)
                _keep(self._portals, name, portal)
            case Sent.DESCRIBE | Sent.CLOSE:
                self._named(kind, payload)
            case Sent.EXECUTE:
                return self._executed(payload)
            case Sent.QUERY | Sent.CALL:
                simple = self.tally.executed(
                    self.number, text(payload) if kind == Sent.QUERY else "function call"
                )
                self._open.append(_Simple(simple))
                self._begun(simple.at)
                return simple
            case Sent.SYNC:
                if not self._copying:
                    self._open.append(_SYNC)
                    self._skipping = False
            case _:  # the end of what is copied in
                self._copying = False
        return None

    def portal(self, name: bytes, before: Iterable[Frame] = ()) -> Portal:
        """What a portal would execute, given frames that are still to be sent before."""
        prepared: dict[bytes, Prepared] = {}
        found = self._portals.get(name)
        for frame in before:
            if frame.kind == Sent.PARSE:
                statement, _, rest = frame.payload.partition(b"\0")
                prepared[statement] = Prepared(text(rest))
            elif frame.kind == Sent.BIND:
                bound, portal = self._bound(frame.payload, prepared)
                found = portal if bound == name else found
        return found or Portal(Prepared())

    def _bound(
        self, payload: bytes, fresh: dict[bytes, Prepared] | None = None
    ) -> tuple[bytes, Portal]:
        name, _, rest = payload.partition(b"\0")
        statement, _, values = rest.partition(b"\0")
        prepared = (fresh or {}).get(statement) or self._prepared.get(statement) or Prepared()
        return name, Portal(prepared, values if self.tally.looking else b"")

    def _named(self, kind: int, payload: bytes) -> None:
        of, name = payload[:1], payload[1:].partition(b"\0")[0]
        known: dict[bytes, Prepared] | dict[bytes, Portal] = (
            self._prepared if of == b"S" else self._portals
        )
        if kind == Sent.CLOSE:
            known.pop(name, None)
        elif not self._skipping:
            self._open.append(_Described(known.get(name) or Prepared()))

    def _executed(self, payload: bytes) -> Execution:
        name, _, limit = payload.partition(b"\0")
        portal = self._portals.get(name) or Portal(Prepared())
        portal.begun = True
        execution = self.tally.executed(self.number, portal.prepared.text)
        if execution.values is not None:
            execution.values.bound = portal.bound
            execution.values.parameters = portal.prepared.parameters
            execution.values.columns = portal.columns or portal.prepared.columns
        if not self._skipping:
            self._open.append(_Run(execution, int.from_bytes(limit[:4])))
            self._begun(execution.at)
        return execution

    def _begun(self, at: float) -> None:
        """Something is executed: in the transaction under way, or it begins one."""
        if self.since is None:
            self.since = at

    # --- what the server sends ---

    def received(self, kind: int, payload: bytes) -> None:
        """A frame came from the server."""
        first = self._open[0] if self._open else None
        match kind:
            case Got.KEY:
                self.pid = int.from_bytes(payload[:4])
            case Got.PARAMETERS | Got.COLUMNS | Got.NO_COLUMNS:
                self._described(kind, payload, first)
            case Got.ROW:
                execution = _execution(first)
                if execution and execution.values and len(execution.values.rows) < ROWS_SEEN:
                    execution.values.rows.append(payload)
            case Got.COMPLETE | Got.EMPTY | Got.SUSPENDED:
                self._completed(kind, payload, first)
            case Got.ERROR:
                self._failed(payload, first)
            case Got.COPY_IN:
                # A server that is copied to ignores Sync; what was sent with the Execute is lost.
                if isinstance(first, _Run):
                    self._copying = True
                    self._open = deque(one for one in self._open if one is not _SYNC)
            case _:
                self._ready(payload, first)

    def _described(self, kind: int, payload: bytes, first: object) -> None:
        execution = _execution(first)
        if execution is not None and execution.values is not None:
            execution.values.columns = payload
        if not isinstance(first, _Described):
            return
        if kind == Got.PARAMETERS and isinstance(first.of, Prepared):
            first.of.parameters = payload
            return
        first.of.columns = payload if kind == Got.COLUMNS else b""
        self._open.popleft()

    def _completed(self, kind: int, payload: bytes, first: object) -> None:
        execution = _execution(first)
        if execution is None:
            return
        self._active, self._latest = True, execution
        # A suspended portal has given exactly as many rows as it was asked for.
        suspended = first.limit if kind == Got.SUSPENDED and isinstance(first, _Run) else 0
        self.tally.completed(execution, row_count(payload) if kind == Got.COMPLETE else suspended)
        if execution.values is not None:
            execution.values.tag = payload
        if isinstance(first, _Run):
            self._open.popleft()

    def _failed(self, payload: bytes, first: object) -> None:
        execution = _execution(first)
        if execution is not None:
            self.tally.failed(execution)
            if execution.values is not None:
                execution.values.error = payload
        if first is None and not self._copying:
            return
        self._active, self._copying, self._latest = True, False, None
        if isinstance(first, _Simple):
            return
        # What was sent before the next Sync is not executed.
        while self._open and self._open[0] is not _SYNC:
            self._open.popleft()
        self._skipping = not self._open

    def _ready(self, payload: bytes, first: object) -> None:
        if isinstance(first, (_Simple, _Synced)):
            self._open.popleft()
        self.status = payload[:1].decode("ascii", "replace")
        if self.status != "I":
            return
        began, self.since = self.since, None
        if self._active:
            self._active = False
            if self._latest is not None:
                self._latest.last = True
            self.tally.transaction_ended(began)
        if any(isinstance(one, (_Run, _Simple)) for one in self._open):
            # What was sent ahead is executed from now on.
            self._begun(self.tally.now)


def _keep(known: dict[bytes, Named], name: bytes, one: Named) -> None:
    """Remember under a name; of too many, the oldest is forgotten."""
    known[name] = one
    if len(known) > _MOST_NAMES:
        del known[next(iter(known))]


def _execution(first: object) -> Execution | None:
    return first.execution if isinstance(first, (_Run, _Simple)) else None
