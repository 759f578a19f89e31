"""The contract's document, and its operations with how they are used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testkit.edges.operations import USES, Use

CONTRACT = Path(__file__).parents[3] / "contract" / "openapi.yaml"

DOCUMENT: dict[str, Any] = yaml.safe_load(CONTRACT.read_text()) if CONTRACT.exists() else {}
"""Empty in a copy of the service alone, which comes without it."""

JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    """An operation of the document, and how it is used."""

    id: str
    method: str
    template: str
    described: dict[str, Any]
    use: Use

    def __str__(self) -> str:
        return self.id

    @property
    def schema(self) -> dict[str, Any] | None:
        """That of its body, if it takes one."""
        body = self.described.get("requestBody")
        return body["content"][JSON]["schema"] if body else None

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Its parameters by name."""
        known = DOCUMENT["components"]["parameters"]
        found = [
            known[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
            for one in self.described.get("parameters", [])
        ]
        return {one["name"]: one for one in found}

    def in_place(self, where: str) -> list[str]:
        """The names of its parameters of one kind."""
        return [name for name, one in self.parameters.items() if one["in"] == where]


def documented() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation, by its id."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, operations in DOCUMENT.get("paths", {}).items()
        for method, operation in operations.items()
    }


OPERATIONS = [
    Operation(id_, *documented()[id_], use) for id_, use in USES.items() if id_ in documented()
]
