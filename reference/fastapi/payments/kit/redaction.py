"""What may be logged: named members, and of exceptions and libraries what cannot quote a value.

By allow-list (CWE-532, PCI DSS 3.5): a member that nobody allowed is left out, so that a new line
of log says too little rather than too much. PostgreSQL's messages quote whole rows, pydantic's the
input, and a library's log whatever it handles.
"""

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from types import TracebackType
from typing import Any

ALLOWED = frozenset(
    {
        *("event", "level", "timestamp", "request_id", "merchant", "client"),
        *("method", "route", "status", "code", "milliseconds"),
        *("operation", "payout", "delivery", "transaction", "type"),
        *("outcome", "cause", "failure", "why", "told"),
        *("exception", "library", "place"),
    }
)

SPEAKING = frozenset({"uvicorn.error"})
"""Libraries whose messages we know: when the server starts and ends, and where it listens."""

MAX_LENGTH = 200

Line = MutableMapping[str, Any]


def only_allowed(_: Any, __: str, line: Line) -> Line:
    """Leave out members that are not allowed, and cut long words short."""
    for name in [name for name in line if name not in ALLOWED]:
        del line[name]
    for name, value in line.items():
        if isinstance(value, str) and len(value) > MAX_LENGTH:
            line[name] = value[:MAX_LENGTH]
    return line


def exceptions_by_type(_: Any, __: str, line: Line) -> Line:
    """Tell an exception, and those behind it, by type and place; not by message."""
    given = line.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else None
    if error is None and isinstance(given, tuple):
        error = given[1]
    elif error is None and given:
        error = sys.exception()
    if error is not None:
        line["exception"] = [_told(one) for one in _chain(error)]
    return line


def library_line(_: Any, __: str, line: Line) -> Line:
    """Tell that a library logged, and where; what it said only if that is known to be harmless."""
    record: logging.LogRecord = line["_record"]
    line["library"] = record.name
    line["place"] = f"{record.module}:{record.lineno}"
    said = str(line["event"]).partition("\n")[0]
    line["event"] = said if record.name in SPEAKING else "library"
    return line


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        hidden = one.__suppress_context__
        one = one.__cause__ or (None if hidden else one.__context__)


def _told(error: BaseException) -> dict[str, Any]:
    told: dict[str, Any] = {"type": type(error).__qualname__, "at": _frames(error.__traceback__)}
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return told | ({"sqlstate": state} if isinstance(state, str) else {})


def _frames(trace: TracebackType | None) -> list[str]:
    """Where it passed through our own modules, and where it came from."""
    places = [
        f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in traceback.walk_tb(trace)
    ]
    return [place for place in places[:-1] if place.startswith("payments.")] + places[-1:]
