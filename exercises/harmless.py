"""Harmless changes: what a pull request carries beside its flaws, from ``reference/harmless/``.

Each is a folder with ``change.toml`` and a patch a track, on the reference, like a flaw's. It
leaves behaviour as the contract has it, and is proved to: every check is secure with it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exercises import places
from exercises.bank import BankError, first_problem
from exercises.patches import Patch, read_patch


class _Manifest(BaseModel):
    """``change.toml`` as it is written."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=3)]
    about: Annotated[str, Field(min_length=3)]


@dataclass(frozen=True, slots=True)
class Harmless:
    """A change that breaks nothing; ``about`` says why one may think that it does."""

    id: str
    title: str
    about: str
    path: Path

    def patch(self) -> Patch:
        """The patch itself; raises ``PatchError``."""
        return read_patch(self.path, f"harmless/{self.id}")


def harmless_ids() -> tuple[str, ...]:
    """The ids of all harmless changes, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in places.HARMLESS.glob("*/change.toml")))


def load_harmless(name: str, track: str = "fastapi") -> Harmless:
    """Reads one harmless change; raises ``BankError``."""
    home = places.HARMLESS / name
    where = f"harmless/{name}/change.toml"
    try:
        with (home / "change.toml").open("rb") as file:
            manifest = _Manifest.model_validate(tomllib.load(file))
    except OSError as failure:
        raise BankError(f"{where}: {(failure.strerror or 'cannot be read').lower()}.") from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise BankError(f"{where}: not TOML: {failure}.") from failure
    except ValidationError as failure:
        raise BankError(f"{where}: {first_problem(failure)}") from failure
    path = home / f"{track}.patch"
    if not path.is_file():
        raise BankError(f"{where}: there is no {track}.patch beside it.")
    return Harmless(name, manifest.title, manifest.about, path)
