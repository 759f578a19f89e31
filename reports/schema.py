"""The JSON Schemas of ``evidence.json`` and ``scorecard.json``, kept in ``reports/schemas/``.

``python -m reports.schema`` writes them anew; a test keeps them in step with the models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from checks.evidence import Evidence
from scoring.scorecard import Scorecard

FOLDER = Path(__file__).with_name("schemas")

MODELS: dict[str, type[BaseModel]] = {"evidence": Evidence, "scorecard": Scorecard}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``evidence`` or ``scorecard``, as the model states it."""
    stated = MODELS[name].model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **stated}


def text(name: str) -> str:
    """The text of the schema's file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def path(name: str) -> Path:
    """Where the schema's file stands."""
    return FOLDER / f"{name}.schema.json"


def main() -> None:
    """Writes both schemas."""
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        path(name).write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
