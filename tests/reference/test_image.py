"""What the image holds is enough: it migrates, serves, is healthy, writes nothing and ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reference.manifests import (
    SERVICE,
    compose,
    dockerfile,
    fresh_secrets,
    instruction,
    manifests,
)

sys.path.insert(0, str(SERVICE))

from payments.kit.settings import Settings  # type: ignore[import-not-found]
from testkit import postgres  # type: ignore[import-not-found]


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    return fresh_secrets()


def unpack(folder: Path) -> None:
    """What the image holds of this project, by the Dockerfile's own instructions."""
    for one in dockerfile():
        words = one["value"].split()
        if one["instruction"] != "COPY" or words[0].startswith("--"):
            continue
        *sources, target = words
        for source in sources:
            into = folder / (source if target == "./" else target)
            if (SERVICE / source).is_dir():
                leavings = shutil.ignore_patterns("__pycache__")
                shutil.copytree(SERVICE / source, into, dirs_exist_ok=True, ignore=leavings)
            else:
                shutil.copy(SERVICE / source, into)


@contextmanager
def serving(
    folder: Path, port: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(port) if word == "8000" else word for word in instruction("CMD")]
    with (folder.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_image_serves(secrets: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    unpack(folder)
    held = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (config,) = manifests("ConfigMap")
    with postgres.server() as url:
        environment = config["data"] | secrets | {"DATABASE_URL": url}
        environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
        migrate = compose()["services"]["migrate"]["command"]
        subprocess.run(migrate, cwd=folder, env=environment, check=True, capture_output=True)
        healthy = [word.replace(":8000/", f":{port}/") for word in instruction("HEALTHCHECK")]
        with serving(folder, port, environment) as process:
            until = time.monotonic() + 60
            while subprocess.run(
                healthy, env=environment, check=False, capture_output=True
            ).returncode:
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < until
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM)
            assert "Application shutdown complete" in (tmp_path / "log").read_text()
            ended = subprocess.run(healthy, env=environment, check=False, capture_output=True)
            assert ended.returncode
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == held


def test_what_is_set_are_settings(secrets: dict[str, str]) -> None:
    pytest.importorskip("payments.telemetry", reason="the service has no metrics")
    (config,) = manifests("ConfigMap")
    extra = {
        one["name"]: one.get("value", "")
        for manifest in manifests("Deployment")
        for one in manifest["spec"]["template"]["spec"]["containers"][0].get("env", [])
    }
    in_cluster = config["data"] | extra | secrets
    Settings.from_environment(in_cluster)
    services = compose()["services"]
    web, worker = (services[name]["environment"] for name in ("web", "worker"))
    named = {*in_cluster, *web, *worker}
    assert named <= {name.upper() for name in Settings.model_fields}
    assert web.keys() == {*config["data"], *secrets} - {"LOG_LEVEL"}
