"""Putting metrics and traces where the process does its work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from payments.kit.database import LOST_RACES, BusyError, Database, connections_in_use, listen
from payments.kit.database import sqlstate as sqlstate_of
from payments.kit.outbound import Watch
from payments.kit.problems import Problem
from payments.kit.settings import Settings, SettingsError
from payments.psp.client import PspClient
from payments.telemetry.metrics import Metrics
from payments.telemetry.outside import WatchedTransport

if TYPE_CHECKING:
    from payments.dependencies import Context
    from payments.telemetry.tracing import Tracing

CAUSES = {
    "40001": "serialization",
    "40P01": "deadlock",
    "55P03": "lock_time_out",
    "57014": "statement_time_out",
}
NO_CONNECTION = "no_connection"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What one process tells of itself; ``tracing`` only where it is configured."""

    metrics: Metrics
    tracing: "Tracing | None"

    def watch(self, party: str) -> Watch:
        """Have the calls to an outside party counted and traced."""
        ended = partial(self.metrics.call, party)
        span = self.tracing.calls_to(party) if self.tracing is not None else None

        def watched(transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            return WatchedTransport(transport, ended, span)

        return watched

    def attach(self, database: Database, psp: PspClient, *, connections: int) -> None:
        """Watch the database, its pool of so many connections, and the circuit breaker."""
        listen(database, "handle_error", self._database_error)
        if self.tracing is not None:
            self.tracing.attach(database)
        pool = self.metrics.gauge(
            "payments_database_connections",
            "Connections to the database: in use, and how many there may be.",
            ("state",),
        )
        self.metrics.read(pool, lambda: connections_in_use(database), "in_use")
        pool.labels("limit").set(connections)
        breaker = self.metrics.gauge(
            "payments_breaker_open", "Whether a party is left alone after faults.", ("party",)
        )
        self.metrics.read(breaker, lambda: _is_left_alone(psp), "psp")

    def of_requests(self) -> TelemetryConfig:
        """What FastAPI itself is to tell: spans of requests, where there are traces."""
        if self.tracing is not None:
            return self.tracing.of_requests()
        return TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)

    def job(
        self, kind: str, do: "Callable[[Context, str], Awaitable[None]]", context: "Context"
    ) -> Callable[[str], Awaitable[None]]:
        """A piece of the worker's work, such as an ``operation``, known by its id."""
        if self.tracing is not None:
            return self.tracing.job(kind, do, context, context.database)
        return partial(do, context)

    def install(self, app: FastAPI) -> None:
        """Count what the application puts off, before its own handler answers it."""
        handler: Any = app.exception_handlers[BusyError]

        async def busy(request: Request, error: Exception) -> Response:
            self._busy(error)
            response: Response = await handler(request, error)
            return response

        app.add_exception_handler(BusyError, busy)

    def _busy(self, error: Exception) -> None:
        if error.__cause__ is None:
            self.metrics.lost_race(WITHDRAWN)
        elif not _is_lost_race(error.__cause__):
            self.metrics.lost_race(NO_CONNECTION)

    def close(self) -> None:
        """Send what is still to be sent."""
        if self.tracing is not None:
            self.tracing.close()

    def _database_error(self, failed: ExceptionContext) -> None:
        error = failed.sqlalchemy_exception
        state = sqlstate_of(error) if isinstance(error, DBAPIError) else None
        if state in CAUSES:
            self.metrics.lost_race(CAUSES[state])


def open_telemetry(settings: Settings) -> Telemetry:
    """What the settings ask for; nothing of OpenTelemetry is loaded unless it is configured.

    Raises:
        SettingsError: traces are configured, but what sends them is not installed.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return Telemetry(Metrics(), None)
    try:
        from payments.telemetry.tracing import open_tracing
    except ImportError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT needs {error.name}: install what "
            "requirements-tracing.txt lists."
        ) from None
    return Telemetry(
        Metrics(), open_tracing(settings.otel_exporter_otlp_endpoint, settings.otel_service_name)
    )


def _is_lost_race(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and sqlstate_of(error) in LOST_RACES


def _is_left_alone(psp: PspClient) -> bool:
    try:
        psp.ensure_available()
    except Problem:
        return True
    return False
