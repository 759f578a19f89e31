"""What a review's comments can be about, from ``categories.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

CATEGORIES = Path(__file__).with_name("categories.toml")


class Category(BaseModel):
    """One kind of issue; ``cwe`` and ``competencies`` are those of the flaws that are of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60)]
    about: Annotated[str, Field(min_length=1)]
    cwe: tuple[int, ...]
    competencies: tuple[str, ...]


@cache
def categories() -> Mapping[str, Category]:
    """All categories by id, in the order in which they are offered."""
    read = tomllib.loads(CATEGORIES.read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Category]).validate_python(read)


def categories_of(cwe: Collection[int], skills: Collection[str]) -> tuple[str, ...]:
    """The categories that an issue of these weaknesses and competencies rightly has."""
    return tuple(
        id_
        for id_, one in categories().items()
        if not (set(one.cwe).isdisjoint(cwe) and set(one.competencies).isdisjoint(skills))
    )
