"""The metrics of a replica, as Prometheus reads them (contract 7.6, 7.7)."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from checks.client import Client
from checks.verdicts import Broken

REQUESTS = "payments_request_seconds"
CALLS = "payments_outside_call_seconds"

_FORMAT = ("text/plain", "version=0.0.4")


@dataclass(frozen=True, slots=True)
class Sample:
    """One number, with the labels that it has."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one replica told at one time."""

    samples: tuple[Sample, ...]

    def value(self, name: str, **labels: str) -> float:
        """A sample's value; 0 for one that is not there (yet)."""
        values = [one.value for one in self.samples if (one.name, one.labels) == (name, labels)]
        return values[0] if values else 0.0

    @property
    def words(self) -> frozenset[str]:
        """Every value of every label."""
        return frozenset(value for one in self.samples for value in one.labels.values())


async def scrape(client: Client) -> Scrape:
    """Ask a replica for its metrics.

    Raises:
        Broken: it gives none, or they are not in the format.
    """
    answer = (await client.get("/metrics")).expect(200)
    told = answer.headers.get("Content-Type", "")
    if not set(_FORMAT) <= {part.strip() for part in told.split(";")}:
        raise Broken(f"{answer} as {told or 'nothing'}; metrics are {'; '.join(_FORMAT)}.")
    try:
        families = list(text_string_to_metric_families(answer.content.decode()))
    except ValueError as error:
        raise Broken(f"{answer}, which Prometheus cannot read: {error}.") from None
    return Scrape(
        tuple(
            Sample(one.name, dict(one.labels), one.value)
            for family in families
            for one in family.samples
        )
    )
