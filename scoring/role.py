"""A role: a job posting's requirements and how each gets evidence, from ``roles/<id>.toml``."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scoring.competencies import competencies

ROLES = Path(__file__).with_name("roles")

Kind = Literal["essential", "duty", "desirable"]

#: How a requirement gets evidence: ``auto`` by checks on a repair exercise; ``review`` by findings
#: in a review exercise; ``tests`` by the candidate's own tests; ``rubric`` by a person with
#: anchors; ``ask`` by an interview only.
Source = Literal["auto", "review", "tests", "rubric", "ask"]


class RoleError(Exception):
    """A role is unknown or its file is wrong; the message is one sentence."""


class Requirement(BaseModel):
    """One line of a posting.

    ``weight`` (1 to 3) orders what matters most; it does not change a verdict. ``competencies`` are
    those that automatic evidence is read from; ``must_ask`` are those among them without which it
    is at most ``partly``. ``limits`` says what automatic evidence cannot show of it; where that is
    a part of what is asked, it is ``at_most`` ``partly``. ``question`` covers the requirement in an
    interview.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    kind: Kind
    weight: Annotated[int, Field(ge=1, le=3)]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    text: Annotated[str, Field(min_length=1)]
    evidence: Annotated[tuple[Source, ...], Field(min_length=1)]
    competencies: tuple[str, ...] = ()
    must_ask: tuple[str, ...] = ()
    limits: str = ""
    at_most: Literal["met", "partly"] = "met"
    question: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _known_competencies(self) -> Requirement:
        for competency in (*self.competencies, *self.must_ask):
            if competency not in competencies():
                raise ValueError(f"requirement {self.id!r} names unknown competency {competency!r}")
        if not set(self.must_ask) <= set(self.competencies):
            raise ValueError(f"requirement {self.id!r} must ask what it does not list")
        if self.at_most == "partly" and not self.limits:
            raise ValueError(f"requirement {self.id!r} is at most partly met: its limits say why")
        if ("auto" in self.evidence) != bool(self.competencies):
            raise ValueError(
                f"requirement {self.id!r} needs competencies exactly where its evidence has 'auto'"
            )
        return self


class Role(BaseModel):
    """A job posting; ``facts`` is one sentence about the work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    company: str
    place: str
    facts: str
    requirements: Annotated[tuple[Requirement, ...], Field(min_length=1, alias="requirement")]

    @model_validator(mode="after")
    def _distinct_ids(self) -> Role:
        counts = Counter(requirement.id for requirement in self.requirements)
        for name, count in counts.items():
            if count > 1:
                raise ValueError(f"requirement id {name!r} stands {count} times")
        return self


def role_ids(folder: Path = ROLES) -> tuple[str, ...]:
    """The ids of all roles, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def load_role(role: str, folder: Path = ROLES) -> Role:
    """The role with that id.

    Raises ``RoleError`` with one sentence for an unknown id or a file that is wrong.
    """
    known = role_ids(folder)
    if role not in known:
        raise RoleError(f"There is no role {role!r}; the roles are {', '.join(known)}.")
    path = folder / f"{role}.toml"
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Role.model_validate({"id": role, **document})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RoleError(f"{path.name} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise RoleError(f"{path.name}: {where + ': ' if where else ''}{what}.") from error
