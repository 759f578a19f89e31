"""Prometheus metrics of one process (contract 7.6 to 7.8).

A label has a few values that the code knows; ids, paths as they were sent, and what clients choose
are none.
"""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "OTHER"
NO_ROUTE = "none"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics that every process has, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "payments_request_seconds",
            "Requests by route template, method and class of status.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        # A series that is looked up by its labels costs four times what a known one does.
        self._of_requests: dict[tuple[str, str, int], Histogram] = {}
        self._calls = Histogram(
            "payments_outside_call_seconds",
            "Calls to outside parties, retries one by one, by how they ended.",
            ("party", "outcome"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "payments_refusals",
            "Requests refused, by the code of the problem.",
            ("code",),
            registry=self.registry,
        )
        self._replays = Counter(
            "payments_replays",
            "Answers given again under an idempotency key.",
            registry=self.registry,
        )
        self._lost_races = Counter(
            "payments_lost_races",
            "Transactions that the database gave up, by why.",
            ("cause",),
            registry=self.registry,
        )

    def request(
        self,
        method: str,
        route: str | None,
        status: int,
        seconds: float,
        *,
        code: str | None,
        replayed: bool,
    ) -> None:
        """Count a request that was answered."""
        known = (method if method in METHODS else OTHER_METHOD, route or NO_ROUTE, status // 100)
        series = self._of_requests.get(known)
        if series is None:
            series = self._requests.labels(known[0], known[1], f"{known[2]}xx")
            self._of_requests[known] = series
        series.observe(seconds)
        if code is not None:
            self._refusals.labels(code).inc()
        if replayed:
            self._replays.inc()

    def call(self, party: str, outcome: str, seconds: float) -> None:
        """Count a call to an outside party."""
        self._calls.labels(party, outcome).observe(seconds)

    def lost_race(self, cause: str) -> None:
        """Count a transaction that was given up."""
        self._lost_races.labels(cause).inc()

    def gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        """A gauge more, for who knows its value."""
        return Gauge(name, help_text, labels, registry=self.registry)

    def read(self, gauge: Gauge, value: Callable[[], float], *labels: str) -> None:
        """Have a gauge read when it is asked for."""
        (gauge.labels(*labels) if labels else gauge).set_function(value)

    def serve(self, host: str, port: int) -> None:
        """Tell them over HTTP too, by a thread that ends with the process.

        Raises:
            OSError: there is no listening at that address.
        """
        start_http_server(port, host, self.registry)

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self.registry)
