"""What a command says while it works: a live line on a terminal, plain lines elsewhere.

It goes to standard error, so that standard output holds the answer alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from checks.evidence import CheckVerdict, Verdict

STYLES = {
    Verdict.SECURE: "green",
    Verdict.VULNERABLE: "red",
    Verdict.BROKEN: "magenta",
    Verdict.NOT_REACHED: "dim",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "bold yellow",
}


class Progress:
    """A context manager; ``stage`` blocks may overlap, as the work does."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._began = time.monotonic()
        self._stages: dict[int, str] = {}
        self._next = 0
        self._status = Status("", console=self.console) if self.console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def line(self, text: str | Text) -> None:
        """Says something that stays; what it holds is never read as markup."""
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """Says what is being done, for as long as it is."""
        number, self._next = self._next, self._next + 1
        self._stages[number] = text
        if self._status is None:
            self.line(f"[{time.monotonic() - self._began:6.1f} s] {text}")
        self._show()
        try:
            yield
        finally:
            del self._stages[number]
            self._show()

    def _show(self) -> None:
        if self._status is not None:
            self._status.update(Text(", ".join(self._stages.values())))


def verdict_line(verdict: CheckVerdict) -> Text:
    """A verdict as one line of progress."""
    return Text.assemble(
        (f"{verdict.verdict:>12}", STYLES[verdict.verdict]),
        f"  {verdict.check}",
        (f"  {verdict.seconds:.1f} s", "dim"),
    )
