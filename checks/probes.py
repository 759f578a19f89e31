"""The recorder: what a check sends and sees becomes the probes of its verdict.

    with probe("bob reads alice's payment") as attempt:
        answer = await bob.get(payment.url)
        attempt.note("...")

Whatever is exchanged outside any ``probe`` goes into the check's first one, the legitimate flow
that leads up to the attack. Tasks started inside a probe record into it. Sizes are bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from checks.evidence import Exchange, JournalEntry, Message, Probe, ScheduleStep

#: Characters of a body that evidence keeps.
BODY_LIMIT = 4096

#: Exchanges, schedule steps and journal entries that one probe keeps.
EXCHANGES_LIMIT = 80
STEPS_LIMIT = 400
JOURNAL_LIMIT = 100

_LEGITIMATE = "The legitimate flow"


class Attempt:
    """A probe in the making. Times are in seconds since it began."""

    def __init__(self, id_: str, title: str) -> None:
        self.id = id_
        self.title = title
        self.began = time.monotonic()
        self.exchanged = 0
        self.decisive = False
        #: The schedule that is driven in it, as ``checks.again`` writes it.
        self.drive = ""
        self._exchanges: list[Exchange] = []
        self._schedule: list[ScheduleStep] = []
        self._journal: list[JournalEntry] = []
        self._notes: list[str] = []
        self._later: list[Callable[[], None]] = []

    @property
    def now(self) -> float:
        """Seconds since the probe began."""
        return time.monotonic() - self.began

    def exchange(self, exchange: Exchange) -> None:
        """Record a request and its answer."""
        self.exchanged += 1
        if len(self._exchanges) < EXCHANGES_LIMIT:
            self._exchanges.append(exchange)

    def step(
        self,
        lane: str,
        what: str,
        sql: str | None = None,
        *,
        at: float | None = None,
        moment: bool = False,
        cut: bool = False,
    ) -> None:
        """Record one event of an interleaving, which happened now unless told otherwise.

        ``moment`` marks the one in which it goes wrong, ``cut`` a power cut.
        """
        if len(self._schedule) < STEPS_LIMIT:
            when = round(self.now if at is None else at, 4)
            self._schedule.append(
                ScheduleStep(at=when, lane=lane, what=what, sql=sql, moment=moment, cut=cut)
            )

    def later(self, tell: Callable[[], None]) -> None:
        """Have more recorded when the probe is kept, at the times that it then gives."""
        self._later.append(tell)

    def journal(self, entries: Iterable[JournalEntry]) -> None:
        """Record what a simulator was asked; an entry recorded before is not repeated.

        Entries come with the time of this machine's monotonic clock.
        """
        for asked in entries:
            entry = asked.model_copy(update={"at": round(asked.at - self.began, 4)})
            if entry not in self._journal and len(self._journal) < JOURNAL_LIMIT:
                self._journal.append(entry)

    def note(self, text: str) -> None:
        """Record a remark, such as a figure that was compared."""
        self._notes.append(text)

    def finished(self) -> Probe:
        """The probe as evidence keeps it."""
        while self._later:
            self._later.pop(0)()
        notes = list(self._notes)
        if self.exchanged > len(self._exchanges):
            notes.append(f"{self.exchanged - len(self._exchanges)} further exchanges are left out.")
        return Probe(
            id=self.id,
            title=self.title,
            exchanges=tuple(self._exchanges),
            schedule=tuple(sorted(self._schedule, key=lambda step: step.at)),
            journal=tuple(self._journal),
            notes=tuple(notes),
            decisive=self.decisive,
            drive=self.drive,
        )


class Recorder:
    """All probes of one check; ``secrets`` are masked wherever they occur.

    ``again`` is the one schedule to drive, where a probe is replayed (``checks.again``).
    """

    def __init__(self, check: str, secrets: Iterable[str] = (), again: str = "") -> None:
        self._check = check
        self.again = again
        self.secrets = tuple(secret for secret in secrets if secret)
        self.attempts = [Attempt(f"{check}#0", _LEGITIMATE)]
        self._dropped = 0

    def begin(self, title: str) -> Attempt:
        """Start a probe; its id is ``family/function#n``, counting from 1."""
        attempt = Attempt(f"{self._check}#{len(self.attempts)}", title)
        self.attempts.append(attempt)
        return attempt

    def drop(self, attempt: Attempt) -> None:
        """Keep a probe no longer; what was exchanged in it still counts."""
        self.attempts.remove(attempt)
        self._dropped += attempt.exchanged

    @property
    def exchanged(self) -> int:
        """How many requests the check has sent."""
        return self._dropped + sum(attempt.exchanged for attempt in self.attempts)

    @property
    def attacked(self) -> int:
        """How many of them it has sent in probes."""
        return self.exchanged - self.attempts[0].exchanged

    def probes(self) -> tuple[Probe, ...]:
        """The probes in which anything happened, numbered in their order: some were dropped."""
        for number, attempt in enumerate(self.attempts):
            attempt.id = f"{self._check}#{number}"
        finished = (attempt.finished() for attempt in self.attempts)
        return tuple(
            probe for probe in finished if probe.exchanges or probe.notes or probe.schedule
        )

    def message(self, headers: Iterable[tuple[str, str]], body: bytes) -> Message:
        """A request or response, masked and cut for the record."""
        text = body[: BODY_LIMIT * 4].decode("utf-8", "replace")
        return Message(
            headers=tuple((name, self.masked(value)) for name, value in headers),
            body=self.masked(text)[:BODY_LIMIT],
            truncated=len(text) > BODY_LIMIT or len(body) > BODY_LIMIT * 4,
        )

    def masked(self, text: str) -> str:
        """The text without the harness's own secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


_recorder: ContextVar[Recorder] = ContextVar("recorder")
_attempt: ContextVar[Attempt] = ContextVar("attempt")


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Record the current task's exchanges, and those of tasks it starts, with this recorder."""
    outer = _recorder.set(recorder)
    first = _attempt.set(recorder.attempts[0])
    try:
        yield recorder
    finally:
        _attempt.reset(first)
        _recorder.reset(outer)


@contextmanager
def probe(title: str, *, keep: bool = True) -> Iterator[Attempt]:
    """One attempt of the current check; what is raised in it makes it decisive.

    One of many alike is not kept unless it is decisive.
    """
    recorder = _recorder.get()
    attempt = recorder.begin(title)
    token = _attempt.set(attempt)
    try:
        yield attempt
    except Exception:
        attempt.decisive = True
        raise
    finally:
        _attempt.reset(token)
        if not keep and not attempt.decisive:
            recorder.drop(attempt)


def current() -> tuple[Recorder, Attempt]:
    """The recorder and the probe of the current task; ``LookupError`` outside a check."""
    return _recorder.get(), _attempt.get()
