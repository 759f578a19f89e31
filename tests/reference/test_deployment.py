"""What is deployed is well formed, hardened, and enough to run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kubernetes_validate import validate

from tests.reference.manifests import (
    DEPLOY,
    SERVICE,
    Pod,
    compose,
    dockerfile,
    instruction,
    manifests,
    pods,
    texts,
)

OPENAPI = SERVICE.parent / "contract" / "openapi.yaml"
BIN = Path(sys.executable).parent

RULES = "{document-start: disable, line-length: disable, comments: {min-spaces-from-content: 1}}"


def ran(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=DEPLOY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_yaml_is_tidy() -> None:
    done = ran(
        str(BIN / "yamllint"), "--strict", "-d", f"{{extends: default, rules: {RULES}}}", "."
    )
    assert not done.returncode, done.stdout


def test_the_dockerfile_is_tidy() -> None:
    done = ran(str(BIN / "hadolint"), "--no-color", "Dockerfile")
    assert not done.returncode, done.stdout


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_manifests_are_what_kubernetes_takes(version: str) -> None:
    for manifest in manifests():
        validate(manifest, version, strict=True)


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="Docker Compose is not installed")
def test_compose_takes_its_file_and_insists_on_secrets(tmp_path: Path) -> None:
    lines = (DEPLOY / "env.example").read_text().splitlines()
    filled = tmp_path / "filled"
    filled.write_text("\n".join(f"{line}x" if line.endswith("=") else line for line in lines))
    command = ("docker-compose", "--file", "compose.yaml", "--env-file")
    done = ran(*command, str(filled), "config", "--quiet")
    assert not done.returncode, done.stderr
    empty = tmp_path / "empty"
    empty.write_text("")
    refused = ran(*command, str(empty), "config", "--quiet")
    assert refused.returncode
    assert "see env.example" in refused.stderr


def test_every_image_is_pinned() -> None:
    images = [pod.container["image"] for pod in pods()]
    images += [service["image"] for service in compose()["services"].values()]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for image in images:
        _, _, tag = image.rpartition(":")
        assert tag == "local" or re.search(r"\d+\.\d+\.\d+|\d+\.\d+-", tag), image


def test_no_file_holds_a_secret_or_speaks_of_anything_else() -> None:
    assert not manifests("Secret")
    for path, text in texts():
        assert "PRIVATE KEY-----" not in text, path
        assert "assay" not in text.lower(), path
    for line in (DEPLOY / "env.example").read_text().splitlines():
        name, _, value = line.partition("=")
        assert line.startswith("#") or not value or name == "PUBLIC_URL", line


@pytest.mark.parametrize("pod", pods(), ids=str)
def test_a_pod_may_do_no_more_than_it_needs(pod: Pod) -> None:
    of_pod, of_container = pod.spec["securityContext"], pod.container["securityContext"]
    named = [one["value"] for one in dockerfile() if one["instruction"] == "USER"]
    assert named == [f"{of_pod['runAsUser']}:{of_pod['runAsGroup']}"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 0
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container["readOnlyRootFilesystem"] is True
    assert of_container["allowPrivilegeEscalation"] is False
    assert of_container["capabilities"] == {"drop": ["ALL"]}
    assert pod.spec["automountServiceAccountToken"] is False
    for bounded in ("requests", "limits"):
        assert "memory" in pod.container["resources"][bounded]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()


def test_containers_of_the_service_are_hardened_in_compose_too() -> None:
    for name, service in compose()["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name
        if service["image"] == "payments:local":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)


def selected(labels: dict[str, str]) -> list[Pod]:
    return [pod for pod in pods() if labels.items() <= pod.labels.items()]


def test_whatever_selects_pods_finds_them() -> None:
    for one in manifests("Service"):
        (pod,) = selected(one["spec"]["selector"])
        ports = {port["name"] for port in pod.container["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
    for one in manifests("PodDisruptionBudget", "Deployment"):
        (pod,) = selected(one["spec"]["selector"]["matchLabels"])
        assert pod.kind == "Deployment"
    (scaler,) = manifests("HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]["name"]
    assert target in {one["metadata"]["name"] for one in manifests("Deployment")}
    for one in manifests("NetworkPolicy"):
        labels = one["spec"]["podSelector"].get("matchLabels", {})
        assert selected(labels), one["metadata"]["name"]


def test_every_pod_may_go_and_another_stays() -> None:
    least = {"payments-web": manifests("HorizontalPodAutoscaler")[0]["spec"]["minReplicas"]}
    for one in manifests("Deployment"):
        name = one["metadata"]["name"]
        least.setdefault(name, one["spec"].get("replicas"))
        assert ("replicas" in one["spec"]) != (name == "payments-web")
    for one in manifests("PodDisruptionBudget"):
        assert 1 <= one["spec"]["minAvailable"] < least[one["metadata"]["name"]]


def test_what_is_not_named_is_shut() -> None:
    shut = [one for one in manifests("NetworkPolicy") if one["spec"]["podSelector"] == {}]
    assert [sorted(one["spec"]["policyTypes"]) for one in shut] == [["Egress", "Ingress"]]
    assert not {"ingress", "egress"} & shut[0]["spec"].keys()


def test_the_world_reaches_neither_health_nor_metrics() -> None:
    (ingress,) = manifests("Ingress")
    (rule,) = ingress["spec"]["rules"]
    opened = {(path["path"], path["pathType"]) for path in rule["http"]["paths"]}
    assert opened == {("/v1", "Prefix"), ("/.well-known/jwks.json", "Exact")}


def test_probes_ask_for_what_there_is() -> None:
    (web,) = selected({"app.kubernetes.io/component": "web"})
    probes = {name: one for name, one in web.container.items() if name.endswith("Probe")}
    assert probes.keys() == {"startupProbe", "readinessProbe", "livenessProbe"}
    known = yaml.safe_load(OPENAPI.read_text())["paths"]
    for name, probe in probes.items():
        path = probe["httpGet"]["path"]
        assert path in known
        # A replica whose database is away is not to be restarted.
        assert (path == "/readyz") == (name == "readinessProbe")


def test_a_replica_has_time_to_end() -> None:
    (web,) = selected({"app.kubernetes.io/component": "web"})
    command = instruction("CMD")
    graceful = int(command[command.index("--timeout-graceful-shutdown") + 1])
    pause = web.container["lifecycle"]["preStop"]["exec"]["command"][-1]
    waits = int(re.findall(r"sleep\((\d+)\)", pause)[0])
    assert web.spec["terminationGracePeriodSeconds"] > graceful + waits
    grace = compose()["services"]["web"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > graceful


def test_the_database_is_asked_before_anybody_works() -> None:
    services = compose()["services"]
    for name in ("web", "worker"):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"
    assert services["migrate"]["command"] == ["alembic", "upgrade", "heads"]
    (job,) = (pod for pod in pods() if pod.kind == "Job")
    assert job.container["command"] == services["migrate"]["command"]
