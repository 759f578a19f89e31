"""The competencies: the skills that evidence speaks about, from ``competencies.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).with_name("competencies.toml")


class Competency(BaseModel):
    """One skill.

    ``implied_by`` lists exercise kinds and tracks: on those, every flaw speaks about this
    competency whether its manifest names it or not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    about: str
    implied_by: tuple[str, ...] = ()


@cache
def competencies() -> Mapping[str, Competency]:
    """All competencies by id, in the order of the file."""
    document = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            f"{group}.{name}": Competency(id=f"{group}.{name}", **facts)
            for group, members in document.items()
            for name, facts in members.items()
        }
    )


def implied(kind: str, track: str) -> frozenset[str]:
    """The competencies that every flaw of such an exercise speaks about."""
    return frozenset(
        competency.id
        for competency in competencies().values()
        if kind in competency.implied_by or track in competency.implied_by
    )
