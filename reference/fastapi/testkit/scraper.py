"""Metrics, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...]]


def samples(text: str) -> dict[Sample, float]:
    """Each sample of a scrape by its name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


class Scrape:
    """What was scraped once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = samples(text)

    def value(self, name: str, **labels: str) -> float:
        """A sample's value; 0 for one that there is not (yet)."""
        return self._samples.get((name, tuple(sorted(labels.items()))), 0.0)

    def has(self, name: str, **labels: str) -> bool:
        """Whether there is a sample of a name with these labels."""
        return any(
            one[0] == name and labels.items() <= dict(one[1]).items() for one in self._samples
        )
