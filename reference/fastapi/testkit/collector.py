"""A collector of traces, which speaks OTLP over HTTP in protobuf."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Told

from testkit.server import serving


@dataclass(frozen=True)
class Span:
    """A span as it was sent; ids are hexadecimal, ``links`` the traces that it is linked to."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: list[str]
    attributes: dict[str, str]


@dataclass
class Collector:
    """What was sent to ``url``, and the bytes of it."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    raw: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def named(self, name: str) -> list[Span]:
        """The spans of a name."""
        with self.lock:
            return [span for span in self.spans if span.name == name]


@contextmanager
def serve() -> Iterator[Collector]:
    """Collect until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            with collector.lock:
                collector.raw += body
                collector.spans += _read(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        collector.url = url
        yield collector


def _read(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        about = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for told in scope.spans:
                yield _span(about["service.name"], told)


def _span(service: str, told: Told) -> Span:
    return Span(
        service,
        told.name,
        told.trace_id.hex(),
        told.span_id.hex(),
        told.parent_span_id.hex(),
        [link.trace_id.hex() for link in told.links],
        {
            one.key: str(getattr(one.value, one.value.WhichOneof("value") or "string_value"))
            for one in told.attributes
        },
    )
