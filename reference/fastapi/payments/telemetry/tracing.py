"""Traces, sent by OTLP over HTTP, where OTEL_EXPORTER_OTLP_ENDPOINT is set (contract 7.9).

Loaded only then. Other variables of OpenTelemetry's own, such as the sampler's, count as well.
A span holds ids, templates and statuses; never a body, a header, a query or a statement.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import httpx
from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context as Ambient
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import text
from sqlalchemy.exc import DisconnectionError

from payments.kit.database import Database, listen

WITHHELD = ("url.query", "url.path", "http.request.method_original")
"""What a caller writes, and a server span would repeat."""

CAUSE = "payments.cause"
"""The database's name for the trace that a transaction is part of. Operations and events keep it in
their column ``cause``, by its default: without traces no statement knows of it."""

EXPORT_SECONDS = 2.0

Answered = Callable[[int], None]
"""Told the status of an answer."""

_SPAN = "payments_span"
_W3C = TraceContextTextMapPropagator()

_CAUSES = {
    "operation": "SELECT cause FROM operations WHERE id = :id",
    "payout": """
        SELECT event.cause FROM payouts JOIN events event USING (merchant_id)
        WHERE payouts.id = :id AND event.object_id = payouts.id
        ORDER BY event.sequence DESC LIMIT 1""",
    "delivery": """
        SELECT event.cause FROM deliveries JOIN events event ON event.id = deliveries.event_id
        WHERE deliveries.id = :id""",
}
"""What a piece of the worker's work came from: a payout's last change, for one."""


class _Withhold(SpanProcessor):
    """Empties attributes that repeat what a caller wrote (CWE-532)."""

    def on_start(self, span: Span, parent_context: Ambient | None = None) -> None:
        """Look at the attributes that it starts with."""
        for name in WITHHELD:
            if name in (span.attributes or ()):
                span.set_attribute(name, "")


class Tracing:
    """Makes spans, and sends them."""

    def __init__(self, provider: TracerProvider) -> None:
        provider.add_span_processor(_Withhold())
        self._provider = provider
        self._tracer = provider.get_tracer("payments")

    def of_requests(self) -> TelemetryConfig:
        """What FastAPI is told: its server spans, which name the route, and nothing else."""
        return TelemetryConfig(
            tracer_provider=self._provider,
            tracing=True,
            metrics=False,
            logs=False,
            operation_spans=False,
            auto_configure=False,
        )

    def attach(self, database: Database) -> None:
        """Have each transaction within a request or job be a span, from having a connection on."""
        listen(database, "checkout", self._begin)
        listen(database, "commit", partial(_note, "commit"))
        listen(database, "rollback", partial(_note, "rollback"))
        listen(database, "checkin", _end)

    def calls_to(self, party: str) -> Callable[[httpx.Request], AbstractContextManager[Answered]]:
        """Spans of calls to a party, which is told the trace (W3C Trace Context)."""

        @contextmanager
        def span(request: httpx.Request) -> Iterator[Answered]:
            attributes = {"http.request.method": request.method, "payments.party": party}
            with self._span(f"{request.method} {party}", SpanKind.CLIENT, attributes) as made:
                _W3C.inject(request.headers)
                yield partial(_answered, made)

        return span

    def job(
        self,
        kind: str,
        do: Callable[[Any, str], Awaitable[None]],
        context: Any,
        database: Database,
    ) -> Callable[[str], Awaitable[None]]:
        """Do a piece of work within a trace of its own, linked to what caused it."""

        async def traced(id_: str) -> None:
            links = await _links(database, kind, id_)
            attributes = {"payments.object": id_}
            with self._span(f"{kind} job", SpanKind.CONSUMER, attributes, links):
                await do(context, id_)

        return traced

    def flush(self) -> bool:
        """Send what has ended; whether that was done."""
        return self._provider.force_flush()

    def close(self) -> None:
        """Send what is left, and let go."""
        self._provider.shutdown()

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: dict[str, str], links: Sequence[Link] = ()
    ) -> Iterator[trace.Span]:
        """A span around a block; an exception shows by its type, since messages hold values."""
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=attributes,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def _begin(self, connection: Any, record: Any, _: object) -> None:
        """Begin a transaction's span, and tell the database of the trace."""
        within = trace.get_current_span().get_span_context()
        if not within.is_valid and CAUSE not in record.info:
            return
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        cause = carrier.get("traceparent", "")
        try:
            connection.run_async(
                lambda driver: driver.execute("SELECT set_config($1, $2, false)", CAUSE, cause)
            )
        except Exception:
            raise DisconnectionError from None  # the pool replaces it
        if not within.is_valid:
            del record.info[CAUSE]
            return
        record.info[CAUSE] = True
        attributes = {"db.system.name": "postgresql"}
        record.info[_SPAN] = self._tracer.start_span(
            "transaction", kind=SpanKind.CLIENT, attributes=attributes
        )


def open_tracing(endpoint: str, service: str) -> Tracing:
    """Send traces to a collector, in the background."""
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: service}), shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)


def _answered(span: trace.Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)


def _note(how: str, connection: Any) -> None:
    span = connection.info.get(_SPAN)
    if span is not None:
        span.set_attribute("payments.ended_by", how)


def _end(_: object, record: Any) -> None:
    span = record.info.pop(_SPAN, None)
    if span is not None:
        span.end()


async def _links(database: Database, kind: str, id_: str) -> Sequence[Link]:
    async with database.unit_of_work() as uow:
        cause = await uow.session.scalar(text(_CAUSES[kind]), {"id": id_})
    causing = trace.get_current_span(_W3C.extract({"traceparent": cause or ""}))
    context = causing.get_span_context()
    return (Link(context),) if context.is_valid else ()
