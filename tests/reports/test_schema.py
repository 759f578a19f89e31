"""The JSON Schemas in the repository are those of the models, and real documents satisfy them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped]
import pytest

from reports import schema as schemas
from scoring.role import load_role
from scoring.scorecard import score
from tests.reports.pages import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from checks.evidence import Evidence


@pytest.mark.parametrize("name", schemas.MODELS)
def test_the_file_is_in_step_with_the_model(name: str) -> None:
    written = schemas.path(name).read_text(encoding="utf-8")
    assert written == schemas.text(name), "run: python -m reports.schema"


@pytest.mark.parametrize("sample", SAMPLES)
def test_documents_satisfy_their_schemas(sample: Callable[[], Evidence]) -> None:
    evidence = sample()
    card = score(evidence, load_role("somnio"))
    for name, text in (("evidence", evidence.to_json()), ("scorecard", card.to_json())):
        validator = jsonschema.Draft202012Validator(schemas.schema(name))
        validator.check_schema(schemas.schema(name))
        validator.validate(json.loads(text))


def test_the_schema_refuses_another_version() -> None:
    document = json.loads(SAMPLES[0]().to_json())
    document["schema"] = 2
    assert not jsonschema.Draft202012Validator(schemas.schema("evidence")).is_valid(document)
