"""The flaw bank: each folder of ``reference/flaws`` read and checked into a ``Flaw``.

A bank with a mistake in it makes verdicts that mean nothing, so nothing is let through: a
manifest either holds all that it must, and names exactly the patches that lie beside it, or
loading stops with one sentence that names the file and the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exercises import places
from exercises.lesson import Lesson, parse_lesson
from exercises.patches import Patch, read_patch

Kind = Literal["inject", "fix", "decoy"]
Family = Literal[
    "contract", "security", "money", "idempotency", "concurrency", "resilience", "load", "static"
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]

#: At least so many ways to remove a flaw, and so many that only seem to.
FEWEST = 3
FOLDERS: dict[Kind, str] = {"inject": "inject", "fix": "fixes", "decoy": "decoys"}
LABELS: dict[Kind, str] = {"inject": "seeded", "fix": "fix", "decoy": "decoy"}


class BankError(Exception):
    """A mistake in the flaw bank or an exercise; one sentence naming the file and the reason."""


class UnknownFlawError(Exception):
    """Somebody asked for a flaw that the bank does not hold."""


class _Variant(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mechanism: Annotated[str, Field(min_length=3)]


class _Decoy(_Variant):
    breaks: list[str] = []


class _Manifest(BaseModel):
    """``flaw.toml`` as it is written."""

    model_config = ConfigDict(extra="forbid")

    id: Name
    title: Annotated[str, Field(min_length=3)]
    family: Family
    severity: Literal["critical", "high", "medium", "low"]
    cwe: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    owasp: list[Annotated[str, Field(pattern=r"^API(10|[1-9]):2023$")]]
    competencies: Annotated[list[str], Field(min_length=1)]
    minutes: Annotated[int, Field(ge=1, le=240)]
    checks: Annotated[list[str], Field(min_length=1)]
    exclusive: list[Name]
    also_affects: list[Name]
    untried: list[Annotated[str, Field(min_length=3)]] = []
    inject: Annotated[dict[Name, _Variant], Field(min_length=1)]
    fixes: Annotated[dict[Name, _Variant], Field(min_length=FEWEST)]
    decoys: Annotated[dict[Name, _Decoy], Field(min_length=FEWEST)]


@dataclass(frozen=True, slots=True)
class Variant:
    """One patch of a flaw on the reference: its seeded form, a fix or a decoy.

    ``breaks`` names the contract checks that a decoy fails besides.
    """

    flaw: str
    kind: Kind
    name: str
    mechanism: str
    path: Path
    breaks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """As a calibration cell names it: ``seeded:NAME``, ``fix:NAME`` or ``decoy:NAME``."""
        return f"{LABELS[self.kind]}:{self.name}"

    def patch(self) -> Patch:
        """The patch itself; raises ``PatchError``."""
        return read_patch(self.path, f"{self.flaw}/{FOLDERS[self.kind]}/{self.name}")


@dataclass(frozen=True, slots=True)
class Flaw:
    """A seeded defect: its facts, its lesson and its variants.

    ``untried`` says, a sentence each, what its checks leave out, so that ``secure`` claims no more
    than was seen.
    """

    id: str
    title: str
    family: Family
    severity: Literal["critical", "high", "medium", "low"]
    cwe: tuple[int, ...]
    owasp: tuple[str, ...]
    competencies: tuple[str, ...]
    minutes: int
    checks: tuple[str, ...]
    exclusive: tuple[str, ...]
    also_affects: tuple[str, ...]
    untried: tuple[str, ...]
    lesson: Lesson
    inject: Mapping[str, Variant]
    fixes: Mapping[str, Variant]
    decoys: Mapping[str, Variant]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Seeded forms, then fixes, then decoys."""
        return (*self.inject.values(), *self.fixes.values(), *self.decoys.values())


@dataclass(frozen=True, slots=True)
class Bank:
    """All flaws, by id, in alphabetical order."""

    flaws: Mapping[str, Flaw]

    def flaw(self, name: str) -> Flaw:
        """The flaw of that id; raises ``UnknownFlawError`` with what there is."""
        try:
            return self.flaws[name]
        except KeyError:
            raise UnknownFlawError(_unknown(name)) from None

    def agree_with(self, checks: Iterable[str], competencies: Iterable[str]) -> None:
        """Raises ``BankError`` if a manifest names a check or a competency that does not exist.

        The bank cannot know either by itself: both are defined above it.
        """
        known_checks, known_competencies = set(checks), set(competencies)
        for flaw in self.flaws.values():
            named = [*flaw.checks, *(name for one in flaw.decoys.values() for name in one.breaks)]
            for check in named:
                if check not in known_checks:
                    raise BankError(f"{flaw.id}/flaw.toml: there is no check {check!r}.")
            for competency in flaw.competencies:
                if competency not in known_competencies:
                    raise BankError(f"{flaw.id}/flaw.toml: there is no competency {competency!r}.")


def load_bank(
    folder: Path = places.FLAWS, track: str = "fastapi", only: Collection[str] | None = None
) -> Bank:
    """Reads every flaw's folder, or those of ``only``; raises ``BankError``."""
    if not folder.is_dir():
        raise BankError(f"{folder}: there is no such folder of flaws.")
    homes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")
    names = {home.name for home in homes}
    for name in only or ():
        if name not in names:
            raise UnknownFlawError(_unknown(name))
    flaws = {
        home.name: load_flaw(home, track) for home in homes if only is None or home.name in only
    }
    for flaw in flaws.values():
        for other in (*flaw.exclusive, *flaw.also_affects):
            if other not in names or other == flaw.id:
                raise BankError(f"{flaw.id}/flaw.toml: there is no other flaw {other!r}.")
    return Bank(flaws)


def load_flaw(home: Path, track: str = "fastapi") -> Flaw:
    """Reads one flaw's folder; raises ``BankError``."""
    manifest = _read_manifest(home)
    lesson = _read_lesson(home)
    _distinct_mechanisms(home, manifest)
    return Flaw(
        id=manifest.id,
        title=manifest.title,
        family=manifest.family,
        severity=manifest.severity,
        cwe=tuple(manifest.cwe),
        owasp=tuple(manifest.owasp),
        competencies=tuple(manifest.competencies),
        minutes=manifest.minutes,
        checks=tuple(manifest.checks),
        exclusive=tuple(manifest.exclusive),
        also_affects=tuple(manifest.also_affects),
        untried=tuple(manifest.untried),
        lesson=lesson,
        inject=_variants(home, track, "inject", manifest.inject),
        fixes=_variants(home, track, "fix", manifest.fixes),
        decoys=_variants(home, track, "decoy", manifest.decoys),
    )


def first_problem(failure: ValidationError) -> str:
    """The first thing wrong with a file, as ``place: what``."""
    problem = failure.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


def _unknown(name: str) -> str:
    return f"There is no flaw {name!r}; 'assay list flaws' shows those there are."


def _read_manifest(home: Path) -> _Manifest:
    name = f"{home.name}/flaw.toml"
    try:
        with (home / "flaw.toml").open("rb") as file:
            manifest = _Manifest.model_validate(tomllib.load(file))
    except OSError as failure:
        raise BankError(f"{name}: {(failure.strerror or 'cannot be read').lower()}.") from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise BankError(f"{name}: not TOML: {failure}.") from failure
    except ValidationError as failure:
        raise BankError(f"{name}: {first_problem(failure)}") from failure
    if manifest.id != home.name:
        raise BankError(f"{name}: its id is {manifest.id!r}, but its folder is {home.name!r}.")
    return manifest


def _read_lesson(home: Path) -> Lesson:
    name = f"{home.name}/lesson.md"
    try:
        return parse_lesson((home / "lesson.md").read_text(encoding="utf-8"))
    except OSError as failure:
        raise BankError(f"{name}: {(failure.strerror or 'cannot be read').lower()}.") from failure
    except ValueError as failure:
        raise BankError(f"{name}: {failure}") from failure


def _distinct_mechanisms(home: Path, manifest: _Manifest) -> None:
    seen: dict[str, str] = {}
    groups: tuple[tuple[str, Mapping[str, _Variant]], ...] = (
        ("inject", manifest.inject),
        ("fixes", manifest.fixes),
        ("decoys", manifest.decoys),
    )
    for group, variants in groups:
        for name, variant in variants.items():
            plain = re.sub(r"\W+", " ", variant.mechanism).strip().casefold()
            if plain in seen:
                raise BankError(
                    f"{home.name}/flaw.toml: {group}.{name} and {seen[plain]} have one mechanism."
                )
            seen[plain] = f"{group}.{name}"


def _variants(
    home: Path, track: str, kind: Kind, named: Mapping[str, _Variant]
) -> dict[str, Variant]:
    folder = home / track / FOLDERS[kind]
    there = {path.stem for path in folder.glob("*.patch")} if folder.is_dir() else set()
    for name in named:
        if name not in there:
            raise BankError(
                f"{home.name}/flaw.toml: {FOLDERS[kind]}.{name} has no file "
                f"{track}/{FOLDERS[kind]}/{name}.patch."
            )
    for name in sorted(there - set(named)):
        raise BankError(
            f"{home.name}/flaw.toml: the file {track}/{FOLDERS[kind]}/{name}.patch is not named."
        )
    return {
        name: Variant(
            flaw=home.name,
            kind=kind,
            name=name,
            mechanism=variant.mechanism,
            path=folder / f"{name}.patch",
            breaks=tuple(variant.breaks) if isinstance(variant, _Decoy) else (),
        )
        for name, variant in named.items()
    }
