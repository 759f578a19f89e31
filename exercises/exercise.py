"""An exercise: a brief, a time box and a set of flaws, read from ``exercises/<id>/``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exercises import places
from exercises.bank import Bank, BankError, Flaw, Name, Variant, first_problem
from exercises.tree import compose, reference_tree


class UnknownExerciseError(Exception):
    """Somebody asked for an exercise that does not exist."""


class _Manifest(BaseModel):
    """``exercise.toml`` as it is written."""

    model_config = ConfigDict(extra="forbid")

    id: Name
    title: Annotated[str, Field(min_length=3)]
    summary: Annotated[str, Field(min_length=3)]
    kind: Literal["repair"]
    minutes: Annotated[int, Field(ge=10, le=24 * 60)]
    track: Literal["fastapi"]
    flaws: Annotated[list[Name], Field(min_length=1)]
    #: Which of a flaw's inject patches is used; needed only where it has several.
    inject: dict[Name, Name] = {}


@dataclass(frozen=True, slots=True)
class Exercise:
    """What a candidate is asked to do; ``minutes`` is the time box.

    ``flaws`` gives for each flaw, in the order of the manifest, the seeded form that stands in the
    starter.
    """

    id: str
    title: str
    summary: str
    kind: Literal["repair"]
    minutes: int
    track: str
    flaws: Mapping[str, Variant]
    brief: str

    def starter(self) -> dict[str, bytes]:
        """The service that candidates receive: the reference with the exercise's flaws in it.

        Raises ``PatchError`` where a patch no longer fits.
        """
        return self.tree({})

    def tree(self, chosen: Mapping[str, Variant | None]) -> dict[str, bytes]:
        """A submission put together: for each flaw in ``chosen`` that variant (``None`` is the
        reference's own code), for every other its seeded form.
        """
        variants = {**self.flaws, **chosen}
        patches = [variant.patch() for variant in variants.values() if variant is not None]
        return compose(reference_tree(self.track), patches)


def exercise_ids(folder: Path = places.EXERCISES) -> tuple[str, ...]:
    """The ids of all exercises, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in folder.glob("*/exercise.toml")))


def require_exercise(name: str, folder: Path = places.EXERCISES) -> None:
    """Raises ``UnknownExerciseError`` unless there is one of that id."""
    if name not in exercise_ids(folder):
        known = ", ".join(exercise_ids(folder)) or "none"
        raise UnknownExerciseError(f"There is no exercise {name!r}; there are: {known}.")


def load_exercise(name: str, bank: Bank, folder: Path = places.EXERCISES) -> Exercise:
    """Reads one exercise; raises ``UnknownExerciseError`` or ``BankError``."""
    require_exercise(name, folder)
    manifest = _read_manifest(folder / name)
    where = f"{name}/exercise.toml"
    flaws = {id_: _known_flaw(bank, id_, where) for id_ in manifest.flaws}
    if len(flaws) != len(manifest.flaws):
        raise BankError(f"{where}: it names a flaw twice.")
    for id_ in manifest.inject:
        if id_ not in flaws:
            raise BankError(f"{where}: inject names {id_!r}, which is not among its flaws.")
    for one, other in combinations(flaws.values(), 2):
        if one.id in other.exclusive or other.id in one.exclusive:
            raise BankError(f"{where}: {one.id} and {other.id} cannot stand in one tree.")
    return Exercise(
        id=manifest.id,
        title=manifest.title,
        summary=manifest.summary,
        kind=manifest.kind,
        minutes=manifest.minutes,
        track=manifest.track,
        flaws={id_: _seeded(flaw, manifest.inject, where) for id_, flaw in flaws.items()},
        brief=_read_brief(folder / name),
    )


def _read_manifest(home: Path) -> _Manifest:
    name = f"{home.name}/exercise.toml"
    try:
        with (home / "exercise.toml").open("rb") as file:
            manifest = _Manifest.model_validate(tomllib.load(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise BankError(f"{name}: not TOML: {failure}.") from failure
    except ValidationError as failure:
        raise BankError(f"{name}: {first_problem(failure)}") from failure
    if manifest.id != home.name:
        raise BankError(f"{name}: its id is {manifest.id!r}, but its folder is {home.name!r}.")
    return manifest


def _read_brief(home: Path) -> str:
    try:
        return (home / "brief.md").read_text(encoding="utf-8")
    except OSError as failure:
        raise BankError(f"{home.name}/brief.md: there is none.") from failure


def _known_flaw(bank: Bank, flaw: str, where: str) -> Flaw:
    if flaw not in bank.flaws:
        raise BankError(f"{where}: there is no flaw {flaw!r}.")
    return bank.flaws[flaw]


def _seeded(flaw: Flaw, wanted: Mapping[str, str], where: str) -> Variant:
    name = wanted.get(flaw.id)
    if name is None:
        if len(flaw.inject) > 1:
            raise BankError(f"{where}: {flaw.id} has several seeded forms, and none is chosen.")
        return next(iter(flaw.inject.values()))
    if name not in flaw.inject:
        raise BankError(f"{where}: {flaw.id} has no seeded form {name!r}.")
    return flaw.inject[name]
