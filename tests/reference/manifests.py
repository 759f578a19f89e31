"""The reference's deployment files, read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dockerfile_parse import DockerfileParser

SERVICE = Path(__file__).parents[2] / "reference" / "fastapi"
DEPLOY = SERVICE / "deploy"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """What a Deployment or Job runs."""

    kind: str
    name: str
    labels: dict[str, str]
    spec: Manifest

    def __str__(self) -> str:
        return self.name

    @property
    def container(self) -> Manifest:
        """Its only one."""
        (only,) = self.spec["containers"]
        return dict(only)


def manifests(*kinds: str) -> list[Manifest]:
    """Kubernetes manifests, of some kinds or of all."""
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    found = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    return [one for one in found if not kinds or one["kind"] in kinds]


def pods() -> list[Pod]:
    """All that runs in the cluster."""
    return [
        Pod(
            one["kind"],
            one["metadata"]["name"],
            one["spec"]["template"]["metadata"]["labels"],
            one["spec"]["template"]["spec"],
        )
        for one in manifests("Deployment", "Job")
    ]


def compose() -> Manifest:
    """The file for Docker Compose, its merges done and its variables as they are written."""
    read: Manifest = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def texts() -> Iterator[tuple[Path, str]]:
    """Every file, with what it says."""
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file():
            yield path, path.read_text()


def dockerfile() -> list[dict[str, str]]:
    """The image's instructions."""
    structure: list[dict[str, str]] = DockerfileParser(path=str(DEPLOY / "Dockerfile")).structure
    return structure


def instruction(name: str) -> list[str]:
    """The words of the image's last instruction of a kind, of its list in JSON."""
    value = [one["value"] for one in dockerfile() if one["instruction"] == name][-1]
    words: list[str] = json.loads(value[value.index("[") :])
    return words


def fresh_secrets() -> dict[str, str]:
    """What the cluster's Secret holds, or the file .env in other words; good for nothing else."""
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "ADMIN_TOKEN": "administrator-for-tests",
        "JWT_PRIVATE_KEY": key.decode().replace("\n", "\\n"),
        "PSP_API_KEY": "key-for-tests",
        "PSP_WEBHOOK_SECRET": "secret-for-tests",
        "BROKER_URL": "",
        "DATABASE_URL": "postgresql://payments:x@database:5432/payments",
    }
