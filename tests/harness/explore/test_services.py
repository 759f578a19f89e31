"""Services that have nothing to do with payments: each racy one is found, each sound one passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.commands import assay
from tests.harness.explore.exploring import SERVICES, explored, node_path

#: Each service's specification, with its racy variants and its sound ones.
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "flask/withdrawals.toml": (
        ("racy", "late_lock"),
        ("for_update", "conditional", "constraint"),
    ),
    "django/seats.toml": (
        ("racy", "autocommitted"),
        ("for_update", "unique", "serializable"),
    ),
    "fastapi/wallets.toml": (
        ("racy", "in_process", "one_statement"),
        ("for_update", "serializable", "version", "no_wait", "advisory"),
    ),
    "node/tickets.toml": (
        ("racy", "pooled"),
        ("counter", "advisory", "serializable"),
    ),
}

RACY = [(spec, name) for spec, (racy, _) in CASES.items() for name in racy]
SOUND = [(spec, name) for spec, (_, sound) in CASES.items() for name in sound]


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    """The environment that a case's service needs besides."""
    if not request.node.callspec.params["spec"].startswith("node/"):
        return {}
    return {"NODE_PATH": node_path(tmp_path_factory.getbasetemp().parent)}


@pytest.mark.parametrize(("spec", "variant"), RACY)
def test_a_race_is_found_with_its_interleaving(
    tmp_path: Path, settings: dict[str, str], spec: str, variant: str
) -> None:
    status, found, said = explored(tmp_path, spec, VARIANT=variant, **settings)
    assert (status, found.get("verdict")) == (1, "race"), said
    assert found["because"] in " ".join(said.split())
    lanes = {step["lane"] for step in found["probe"]["schedule"]}
    if found["decisive"]["schedule"] is not None:
        assert lanes == {"request 1", "request 2"}
        assert found["figures"]["driven"] >= 1
    else:
        assert variant == "one_statement"
        assert found["decisive"]["table"] in ("public.movements", "public.wallets")


@pytest.mark.parametrize(("spec", "variant"), SOUND)
def test_a_sound_service_passes_every_schedule(
    tmp_path: Path, settings: dict[str, str], spec: str, variant: str
) -> None:
    status, found, said = explored(tmp_path, spec, VARIANT=variant, **settings)
    assert (status, found.get("verdict")) == (0, "no race"), said
    figures = found["figures"]
    assert figures["exist"] >= figures["run"] >= figures["driven"] >= figures["distinct"] - 1 > 0
    assert figures["undriven"] == {} or figures["gates"]
    assert found["settled"]
    assert found["decisive"] is None
    assert "No race was found" in said


@pytest.mark.parametrize(
    ("spec", "variant"),
    [("flask/withdrawals.toml", "racy"), ("fastapi/wallets.toml", "one_statement")],
)
def test_a_race_is_run_again_until_it_is_mended(tmp_path: Path, spec: str, variant: str) -> None:
    _, found, said = explored(tmp_path, spec, VARIANT=variant)
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(found))
    status, again, said = explored(tmp_path, spec, "--replay", kept, VARIANT=variant)
    assert (status, again["verdict"], again["decisive"]) == (1, "race", found["decisive"]), said
    assert again["figures"]["run"] <= 1
    assert "It happens again" in said
    if variant == "racy":
        status, gone, said = explored(tmp_path, spec, "--replay", kept, VARIANT="for_update")
        # The step before which to stop is there as before, and now it changes nothing.
        assert (status, gone["verdict"]) == (0, "no race"), said
        assert "It does not happen again" in said


def test_a_schedule_that_no_longer_fits_is_said(tmp_path: Path) -> None:
    spec = "flask/withdrawals.toml"
    _, found, _ = explored(tmp_path, spec, VARIANT="racy")
    found["decisive"]["schedule"]["switches"][0]["before"]["shape"] = "update gone set x = ?"
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(found))
    status, again, said = explored(tmp_path, spec, "--replay", kept, VARIANT="racy")
    assert (status, again["verdict"]) == (1, "inconclusive"), said
    assert "The schedule no longer fits" in again["because"]
    assert "a step at which to switch did not come" in again["because"]


def test_what_holds_no_race_is_not_run_again(tmp_path: Path) -> None:
    spec = SERVICES / "flask" / "withdrawals.toml"
    for text in ("{}", "no json"):
        (tmp_path / "kept.json").write_text(text)
        done = assay("explore", spec, "--replay", tmp_path / "kept.json")
        assert done.returncode == 2
        assert "is nothing that 'assay explore --json'" in done.stderr
