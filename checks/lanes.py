"""The course of concurrent requests in words: a lane for each, and the moment it goes wrong."""

from __future__ import annotations

import re
from functools import partial

from checks.probes import Attempt
from checks.testbed.driving.schedule import Interleaving, Step
from checks.testbed.sql.statement import understand

#: Columns and rows of an answer that are told, and characters of one value.
_COLUMNS, _ROWS, _WIDTH = 4, 2, 40

#: A parameter, with the type that a driver may add.
_PARAMETER = re.compile(
    r"\$(\d+)(?:::(?:timestamp|time) with(?:out)? time zone|::double precision|::\w+)?(?:\[\])?",
    re.IGNORECASE,
)
_BRIEF = re.compile(r"(?:insert into|update|delete from|lock table) \S+|select .*? from \S+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DONE = {"INSERT": "adds", "UPDATE": "changes", "DELETE": "removes", "MERGE": "changes"}
_SAID = {"COMMIT": "commits", "ROLLBACK": "rolls back"}


def record(course: Interleaving, attempt: Attempt) -> None:
    """Put the course, which has just ended, into a probe, without BEGIN, pings and the like.

    It is worded when the probe is kept: of many alike, few are.
    """
    if course.steps:
        attempt.later(partial(_tell, course, attempt, attempt.now - course.steps[-1].at))


def _tell(course: Interleaving, attempt: Attempt, began: float) -> None:
    stale = _stale(course)
    for step in course.steps:
        lane, at = f"request {step.thread + 1}", began + step.at
        if step.kind != "statement":
            attempt.step(lane, _happened(step), at=at, cut=step.kind == "cut")
            continue
        if not step.point:
            continue
        what = _came(step)
        if step is stale:
            what += "; it decided by what the other has changed since"
        attempt.step(lane, what, with_values(step), at=at, moment=step is stale)


def with_values(step: Step) -> str:
    """A statement's text with its parameters' values in their places."""

    def value(found: re.Match[str]) -> str:
        place = int(found[1]) - 1
        if place >= len(step.given):
            return found[0]
        shown = step.given[place]
        plain = shown in ("NULL", "true", "false") or _NUMBER.fullmatch(shown)
        return shown if plain else f"'{_short(shown)}'"

    return _PARAMETER.sub(value, " ".join(step.text.split()))


def _happened(step: Step) -> str:
    match step.kind:
        case "call":
            reply = step.place is not None and step.place.replies
            return _told(step) if reply else f"asks {step.text}"
        case "answered":
            return f"answered {step.came}" if step.came else "gets no answer"
        case "cut":
            return f"power cut: {step.came}"
        case "waits":
            return "waits for the other's lock"
        case "idles":
            return "waits for something inside itself"
        case _:
            return "goes on, while the other is held"


def _told(reply: Step) -> str:
    """What an outside party said, or that it did not."""
    told = f"is answered {reply.came} by" if reply.came else "gets no answer from"
    return f"{told} {reply.text}"


def _came(step: Step) -> str:
    if step.ended is None:
        return "sent"
    word, _, rest = step.came.partition(" ")
    if word in _DONE:
        return f"{_DONE[word]} {_rows(rest.rpartition(' ')[2])}"
    if word in _SAID:
        return _SAID[word]
    if re.fullmatch(r"[0-9A-Z]{5}", word) and rest:
        return f"fails: {rest} ({word})"
    if step.columns:
        found = "; ".join(_row(step.columns, row) for row in step.rows[:_ROWS])
        more = len(step.rows) - _ROWS
        return f"finds {found}" + (" and more" if more > 0 else "") if found else "finds nothing"
    return "done"


def _row(columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    """Figures first: they are what is decided by."""
    pairs = sorted(zip(columns, row, strict=False), key=lambda pair: not _NUMBER.fullmatch(pair[1]))
    told = ", ".join(f"{name} = {_short(value)}" for name, value in pairs[:_COLUMNS])
    return told + (", …" if len(pairs) > _COLUMNS else "")


def _rows(count: str) -> str:
    return f"{count} row" if count == "1" else f"{count} rows"


def _short(value: str) -> str:
    return value if len(value) <= _WIDTH else value[: _WIDTH - 1] + "…"


def brief(shape: str) -> str:
    """A statement's shape in a few words."""
    found = _BRIEF.match(shape)
    return re.sub(r"^select .* from", "select from", found[0] if found else shape)[:60]


def _stale(course: Interleaving) -> Step | None:
    """The first write to a row that the other has written since its thread looked at the table.

    A row is told by a value that both statements were given, and no number.
    """
    for at, step in enumerate(course.steps):
        before = [one for one in course.steps[:at] if one.kind == "statement"]
        for table in _writes(step):
            looked = next((one for one in before if _looks(one, step.thread, table)), None)
            if looked is not None and any(
                table in _writes(one) and _named(one) & _named(step)
                for one in before
                if one.thread != step.thread and one.at > looked.at
            ):
                return step
    return None


def _looks(step: Step, thread: int, table: str) -> bool:
    return step.thread == thread and table in understand(step.text).reads


def _writes(step: Step) -> frozenset[str]:
    return understand(step.text).writes if step.kind == "statement" else frozenset()


def _named(step: Step) -> set[str]:
    return {value for value in step.given if not _NUMBER.fullmatch(value)}
