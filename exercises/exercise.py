"""An exercise: a brief, a time box and a set of flaws, read from ``exercises/<id>/``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from jinja2 import Environment, StrictUndefined, TemplateError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exercises import places
from exercises.bank import Bank, BankError, Flaw, Name, Variant, first_problem
from exercises.forms import Choice, Form, seeded_forms
from exercises.harmless import Harmless, load_harmless
from exercises.pull_request import Planted, planted
from exercises.tree import ConflictError, compose, reference_tree

#: The folder of an exercise, and of its kit, that holds what the brief comes with.
ENCLOSED = "incident"


#: What is asked: to mend a service, or to judge a pull request.
Kind = Literal["repair", "review"]

#: What the author of a pull request says of it; its first line is the title.
REQUEST = "pull-request.md"


class UnknownExerciseError(Exception):
    """Somebody asked for an exercise that does not exist."""


class _Manifest(BaseModel):
    """``exercise.toml`` as it is written."""

    model_config = ConfigDict(extra="forbid")

    id: Name
    title: Annotated[str, Field(min_length=3)]
    summary: Annotated[str, Field(min_length=3)]
    kind: Kind
    minutes: Annotated[int, Field(ge=10, le=24 * 60)]
    track: Literal["fastapi"]
    flaws: Annotated[list[Name], Field(min_length=1)]
    #: Of a review: the changes that the pull request carries beside its flaws.
    harmless: list[Name] = []
    #: Which of a flaw's inject patches may be used; needed only where it has several.
    inject: dict[Name, Name | Annotated[list[Name], Field(min_length=1)]] = {}
    #: Flaws that may stand in the place of one, in other forms.
    instead: dict[Name, Annotated[list[Name], Field(min_length=1)]] = {}
    #: What may stand for words of the brief, the first of each in form 0.
    words: dict[Name, Annotated[list[str], Field(min_length=2)]] = {}


@dataclass(frozen=True, slots=True)
class Exercise:
    """What a candidate is asked to do; ``minutes`` is the time box.

    ``seed`` has chosen the form (``exercises.forms``). ``flaws`` gives for each flaw, in the order
    of the manifest, the seeded form that stands in the starter. ``enclosed`` is what the brief
    comes with, such as an incident's logs, by its path in the kit. Of a review, ``harmless`` are
    the changes beside the flaws, and ``request`` what the author of the pull request says of it.
    """

    id: str
    title: str
    summary: str
    kind: Kind
    minutes: int
    track: str
    seed: int
    flaws: Mapping[str, Variant]
    brief: str
    enclosed: Mapping[str, bytes]
    harmless: tuple[Harmless, ...] = ()
    request: str = ""

    def base(self) -> dict[str, bytes]:
        """The service as it should be: what a review's branch is to go into."""
        return reference_tree(self.track)

    def starter(self) -> dict[str, bytes]:
        """The service that candidates receive: the reference with the exercise's flaws in it.

        Of a review it is the branch to be reviewed. Raises ``PatchError`` where a patch no longer
        fits.
        """
        return self.tree({})

    def planted(self, bank: Bank) -> tuple[Planted, ...]:
        """Where the flaws of a review's branch stand in it."""
        flaws = [(bank.flaw(id_), variant) for id_, variant in self.flaws.items()]
        rest = [change.patch() for change in self.harmless]
        return planted(flaws, rest, reference_tree(self.track))

    def tree(self, chosen: Mapping[str, Variant | None]) -> dict[str, bytes]:
        """A submission put together: for each flaw in ``chosen`` that variant (``None`` is the
        reference's own code), for every other its seeded form.
        """
        variants = {**self.flaws, **chosen}
        patches = [variant.patch() for variant in variants.values() if variant is not None]
        patches += [change.patch() for change in self.harmless]
        return compose(reference_tree(self.track), patches)


def exercise_ids(folder: Path = places.EXERCISES) -> tuple[str, ...]:
    """The ids of all exercises, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in folder.glob("*/exercise.toml")))


def require_exercise(name: str, folder: Path = places.EXERCISES) -> None:
    """Raises ``UnknownExerciseError`` unless there is one of that id."""
    if name not in exercise_ids(folder):
        known = ", ".join(exercise_ids(folder)) or "none"
        raise UnknownExerciseError(f"There is no exercise {name!r}; there are: {known}.")


def load_exercise(
    name: str, bank: Bank, folder: Path = places.EXERCISES, *, seed: int = 0
) -> Exercise:
    """Reads one exercise, in the form of a seed.

    Raises ``UnknownExerciseError`` or ``BankError``.
    """
    require_exercise(name, folder)
    manifest = _read_manifest(folder / name)
    track = reference_tree(manifest.track)
    harmless = tuple(load_harmless(one, manifest.track) for one in manifest.harmless)

    def stands(chosen: Sequence[Variant]) -> bool:
        return not _apart(chosen, bank) and _composes(track, [*chosen, *harmless])

    try:
        form = _choice(manifest, bank).form(seed, stands)
    except LookupError as failure:
        raise BankError(f"{name}/exercise.toml: no form of seed {seed} composes.") from failure
    if apart := _apart(list(form.flaws.values()), bank):
        raise BankError(f"{name}/exercise.toml: {apart} cannot stand in one tree.")
    return Exercise(
        id=manifest.id,
        title=manifest.title,
        summary=manifest.summary,
        kind=manifest.kind,
        minutes=manifest.minutes,
        track=manifest.track,
        seed=seed,
        flaws=form.flaws,
        brief=_page(folder / name, "brief.md", form),
        enclosed=_read_enclosed(folder / name),
        harmless=harmless,
        request=_page(folder / name, REQUEST, form) if manifest.kind == "review" else "",
    )


def _choice(manifest: _Manifest, bank: Bank) -> Choice:
    """What a manifest leaves open; raises ``BankError`` for what does not agree in it."""
    where = f"{manifest.id}/exercise.toml"
    if manifest.harmless and manifest.kind != "review":
        raise BankError(f"{where}: harmless changes are for a review.")
    places_ = [[id_, *manifest.instead.get(id_, [])] for id_ in manifest.flaws]
    named = [id_ for place in places_ for id_ in place]
    if len(set(named)) != len(named):
        raise BankError(f"{where}: it names a flaw twice.")
    for member, ids, known in (
        ("inject", manifest.inject, named),
        ("instead", manifest.instead, manifest.flaws),
    ):
        for id_ in ids:
            if id_ not in known:
                raise BankError(f"{where}: {member} names {id_!r}, which is not among its flaws.")

    def seeded(id_: str) -> list[Variant]:
        wanted = manifest.inject.get(id_, [])
        names = [wanted] if isinstance(wanted, str) else wanted
        return seeded_forms(_known_flaw(bank, id_, where), names, where)

    return Choice([[seeded(id_) for id_ in place] for place in places_], manifest.words)


def _apart(chosen: Sequence[Variant], bank: Bank) -> str:
    """Two of these flaws that exclude each other, if there are any."""
    for one, other in combinations((bank.flaw(variant.flaw) for variant in chosen), 2):
        if one.id in other.exclusive or other.id in one.exclusive:
            return f"{one.id} and {other.id}"
    return ""


def _composes(base: Mapping[str, bytes], chosen: Sequence[Variant | Harmless]) -> bool:
    try:
        compose(base, [variant.patch() for variant in chosen])
    except ConflictError:
        return False
    return True


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


def _page(home: Path, file: str, form: Form) -> str:
    """A page of a form: a Jinja template that is given the words, and each flaw's form."""
    name = f"{home.name}/{file}"
    try:
        text = (home / file).read_text(encoding="utf-8")
    except OSError as failure:
        raise BankError(f"{name}: there is none.") from failure
    pages = Environment(  # noqa: S701 - Markdown, by our own hand
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    seeded = {id_: variant.name for id_, variant in form.flaws.items()}
    try:
        return pages.from_string(text).render(flaws=seeded, **form.words)
    except TemplateError as failure:
        raise BankError(f"{name}: {failure}.") from failure


def _read_enclosed(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted((home / ENCLOSED).rglob("*"))
        if path.is_file()
    }


def _known_flaw(bank: Bank, flaw: str, where: str) -> Flaw:
    if flaw not in bank.flaws:
        raise BankError(f"{where}: there is no flaw {flaw!r}.")
    return bank.flaws[flaw]
