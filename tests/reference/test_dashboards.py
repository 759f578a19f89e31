"""Every metric that the dashboard and the alerts name is one that the service tells."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from tests.reference.manifests import DEPLOY, SERVICE, fresh_secrets, manifests

sys.path.insert(0, str(SERVICE))

from payments.app import create_app  # type: ignore[import-not-found]
from payments.kit.settings import Settings  # type: ignore[import-not-found]

#: What Prometheus makes of a family, by its type.
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}

#: Prometheus's own.
OWN = {"up"}


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/payments.json").read_text())
    return read


def rules() -> list[dict[str, Any]]:
    read = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def selectors(expression: Any) -> Iterator[Any]:
    """The vector selectors of an expression, whatever they are wrapped in."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        inner = getattr(expression, name, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None and not isinstance(one, str):
                yield from selectors(one)


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_expressions_are_ones(title: str, expression: str) -> None:
    assert list(selectors(promql_parser.parse(expression))), title


def test_every_metric_that_is_named_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.app.configure", lambda level: None)  # logs are pytest's here
    measurement = pytest.importorskip(
        "payments.telemetry.measurement", reason="the service has no metrics"
    )
    told = told_by(measurement)
    for title, expression in expressions():
        for selector in selectors(promql_parser.parse(expression)):
            assert selector.name in told | OWN, (title, selector.name)


def test_alerts_say_how_urgent_they_are_and_what_to_see() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_panels_stand_beside_each_other() -> None:
    sources = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    known = {source["uid"] for source in sources["datasources"]}
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"]["uid"] in known
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_prometheus_finds_replicas_and_workers() -> None:
    read = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    found: dict[str, tuple[str, int]] = {}
    for job in read["scrape_configs"]:
        for one in job["dns_sd_configs"]:
            found |= dict.fromkeys(one["names"], (job["job_name"], one["port"]))
    assert found == {"web": ("payments-web", 8000), "worker": ("payments-worker", 9100)}
    assert int(compose["worker"]["environment"]["METRICS_PORT"]) == found["worker"][1]
    asked = {
        matcher.value
        for _, expression in expressions()
        for selector in selectors(promql_parser.parse(expression))
        for matcher in selector.matchers.matchers
        if matcher.name == "job"
    }
    assert asked == {job for job, _ in found.values()}


def told_by(measurement: Any) -> set[str]:
    """The names of all series, a replica's and a worker's."""
    (config,) = manifests("ConfigMap")
    settings = Settings.from_environment(config["data"] | fresh_secrets())
    metrics = create_app(settings).state.context.telemetry.metrics
    measurement.Measurement(metrics)
    return {
        family.name + suffix
        for family in metrics.registry.collect()
        for suffix in SUFFIXES.get(family.type, ())
    }
