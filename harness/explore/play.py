"""A specification played: a fresh state, the concurrent requests on it, and what must hold."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from checks.client import Answer, Client
from checks.connections import Connections
from checks.contest import Contest, View
from checks.interleaving import Run, Send
from checks.judging import Judge
from checks.probes import current
from checks.terms import Terms
from checks.verdicts import Inconclusive, Vulnerable
from harness.errors import UsageError
from harness.explore.answers import come_again, difference, member
from harness.explore.outcomes import BROKEN, SHOWN, Measured
from harness.explore.placeholders import Scalar, in_json, in_path, in_sql, in_text
from harness.explore.spec import Ask, Concurrent, Invariant, Prepare, Request, Spec
from harness.explore.stand import Stand

#: Seconds that SQL of the specification has.
SQL_SECONDS = 15.0

#: Seconds that stand for a look at a replica that has nothing to be looked at.
_LOOK = 0.02

#: Rows of a view that are compared.
_ROWS = 1000

_Values = dict[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impartial(Judge):
    """Judges by the invariants, and by what fails at once alone."""

    unfailed: Callable[[Sequence[Answer]], None]

    def judge(self, run: Run, final: Sequence[Answer], verify: Callable[[], None]) -> None:
        """Raise what is wrong."""
        verify()
        self.unfailed((*run.answers, *final))


class Play:
    """Prepares contests of a specification on a running service; ``close`` it in the end.

    ``terms`` are how its requests are explored, ``outcomes`` what they came to one after the other.
    """

    def __init__(self, spec: Spec, stand: Stand) -> None:
        self._spec = spec
        self._stand = stand
        self._runs = itertools.count(1)
        self._word = secrets.token_hex(3)
        self._connections = Connections(stand.urls)
        self._connection: asyncpg.Connection[Any] | None = None
        self.outcomes = Measured(spec.ignore)
        self.terms = Terms(
            self._send_again, lambda final: None, self._unfailed, lambda: self.outcomes
        )
        self.judge = Impartial("", unfailed=self._unfailed)

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()
        if self._connection is not None:
            self._connection.terminate()

    async def prepare(self, count: int) -> Contest:
        """A fresh state, and the requests on it; raises ``UsageError`` where it cannot be had."""
        number = next(self._runs)
        values: _Values = {"n": number, "unique": f"u{self._word}{number}"}
        for place, step in enumerate(self._spec.prepare, 1):
            try:
                values |= await self._taken(step, values)
            except _RefusedError as refused:
                raise UsageError(f"prepare {place}: {refused}") from refused
        requests = [
            self._sending(one, values, f"request {place}")
            for place, one in enumerate(self._spec.requests[:count], 1)
        ]

        async def view() -> View:
            return await self._look(values)

        def verify(_: Sequence[Answer], shown: View) -> None:
            if shown[BROKEN]:
                raise Vulnerable(shown[BROKEN][0])

        async def agree(answers: Sequence[Answer]) -> None:
            if self.outcomes.settled and not self.outcomes.holds(answers, await view()):
                raise Vulnerable(
                    "What the requests did at once is not what they do one after the other, in any"
                    " order."
                )

        return Contest(requests, view, verify, agree, self._read)

    # --- the requests ---

    def _sending(self, one: Concurrent, values: _Values, actor: str) -> Send:
        async def send(replica: int) -> Answer:
            return await self._send(one, values, actor, replica)

        return send

    async def _send(self, one: Request, values: _Values, actor: str, replica: int = 0) -> Answer:
        content = None
        headers = {name: in_text(text, values) for name, text in one.headers.items()}
        if one.json_ is not None:
            content = json.dumps(in_json(one.json_, values)).encode()
        elif one.body is not None:
            content = in_text(one.body, values).encode()
            if not any(name.lower() == "content-type" for name in headers):
                headers["Content-Type"] = "text/plain; charset=utf-8"
        client = Client(actor, self._connections)
        return await client.request(
            one.method,
            in_path(one.path, values),
            content=content,
            headers=headers,
            replica=replica,
        )

    async def _read(self, replica: int) -> object:
        if not self._spec.service.ready:
            await asyncio.sleep(_LOOK)
            return None
        client = Client("assay", self._connections)
        return await client.get(self._spec.service.ready, replica=replica, record=False)

    async def _send_again(
        self, answers: Sequence[Answer], again: Sequence[Callable[[], Awaitable[Answer]]]
    ) -> tuple[Answer, ...]:
        return await come_again(answers, again, [one.retry for one in self._spec.requests])

    def _unfailed(self, answers: Sequence[Answer]) -> None:
        retried = itertools.cycle([one.retry for one in self._spec.requests])
        for answer, retry in zip(answers, retried, strict=False):
            if answer.failed and answer.status not in retry:
                gone = "".join(
                    f" {one.log.source.capitalize()} {one.how}." for one in self._stand.endings()
                )
                raise Vulnerable(f"At once, {answer}; one after the other none fails.{gone}")

    # --- the state ---

    async def _taken(self, step: Prepare, values: _Values) -> _Values:
        """A step of preparing; gives what it captured."""
        if step.sql is not None:
            rows = await self._sql(in_sql(step.sql, values), rows=bool(step.capture))
            first = dict(rows[0]) if rows else {}
            found = {name: first.get(path, _Missing) for name, path in step.capture.items()}
            said = "its SQL gave no row" if not rows else "its SQL gave no such column"
        else:
            answer = await self._send(step, values, "prepare")
            if answer.status != step.status if step.status else not answer.ok:
                wanted = step.status or "2xx"
                raise _RefusedError(f"{answer}; {wanted} is needed. {_shortly(answer)}".strip())
            found = {name: _captured(answer, path) for name, path in step.capture.items()}
            said = f"{answer}, and its JSON has no such member"
        for name, value in found.items():
            if value is _Missing:
                raise _RefusedError(f"capture: {name}: {step.capture[name]!r} is missing: {said}.")
            if isinstance(value, dict | list):
                raise _RefusedError(f"capture: {name}: {step.capture[name]!r} is no single value.")
        return {name: _scalar(value) for name, value in found.items()}

    async def _look(self, values: _Values) -> View:
        """What is shown, and which invariants do not hold."""
        try:
            shown = [await self._shown(one, values) for one in self._spec.view]
            said = [
                await self._broken(one, number, values)
                for number, one in enumerate(self._spec.invariant, 1)
            ]
        except _RefusedError as refused:
            raise Inconclusive(f"What the requests left cannot be looked at: {refused}") from None
        return {SHOWN: shown, BROKEN: [one for one in said if one]}

    async def _shown(self, one: Ask, values: _Values) -> Any:
        if one.sql is not None:
            rows = await self._sql(in_sql(one.sql, values), rows=True)
            return [dict(row) for row in rows[:_ROWS]]
        answer = await self._send(one, values, "view")
        try:
            body = json.loads(answer.content)
        except ValueError:
            body = answer.content.decode(errors="replace")
        return {"status": answer.status, "body": body}

    async def _broken(self, one: Invariant, number: int, values: _Values) -> str:
        """In which way an invariant does not hold; empty where it does."""
        name = one.name or f"invariant {number}"
        expected = in_json(one.expect, values)
        if one.sql is not None:
            text = in_sql(one.sql, values)
            found = _plain(await self._sql(text, rows=True), expected)
            said = difference(found, expected, "its SQL's answer")
            current()[1].note(f"{name}: {said or 'holds'}. {text}")
            return f"Broken: {name}: {said}." if said else ""
        answer = await self._send(one, values, "invariant")
        if one.status is not None and answer.status != one.status:
            return f"Broken: {name}: {answer}, and not {one.status}."
        if one.status is None and not answer.ok:
            return f"Broken: {name}: {answer}."
        if "expect" not in one.model_fields_set:
            return ""
        try:
            said = difference(json.loads(answer.content), expected)
        except ValueError:
            said = "the answer is no JSON"
        return f"Broken: {name}: {said}." if said else ""

    async def _sql(self, text: str, *, rows: bool) -> Sequence[Any]:
        """Run SQL past the proxy, as the service's user; raises ``_RefusedError``."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._stand.access.connect()
            if rows:
                found: Sequence[Any] = await self._connection.fetch(text, timeout=SQL_SECONDS)
                return found
            await self._connection.execute(text, timeout=SQL_SECONDS)
        except TimeoutError:
            raise _RefusedError(
                f"its SQL did not end within {SQL_SECONDS:g} s; does the service keep a lock?"
            ) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            said = " ".join(str(error).split()).rstrip(".")
            raise _RefusedError(f"its SQL was refused: {said}.") from error
        return ()


class _RefusedError(Exception):
    """A step could not be taken; the text goes on after its name."""


class _Missing:
    """Nothing there, which is not null."""


def _captured(answer: Answer, path: str) -> Any:
    try:
        return member(json.loads(answer.content), path)
    except (ValueError, LookupError):
        return _Missing


def _scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _shortly(answer: Answer) -> str:
    return answer.content[:300].decode(errors="replace").strip()


def _plain(rows: Sequence[Any], expected: Any) -> Any:
    """Rows as what they are compared with: a single value, a row, rows."""
    if isinstance(expected, list):
        return [_plain_row(row, one) for row, one in itertools.zip_longest(rows, expected)]
    if not rows:
        return None
    return _plain_row(rows[0], expected) if len(rows) == 1 else [dict(row) for row in rows]


def _plain_row(row: Any, expected: Any) -> Any:
    if row is None:
        return None
    if isinstance(expected, dict):
        return dict(row)
    values = list(row.values())
    return values if isinstance(expected, list) or len(values) != 1 else values[0]
