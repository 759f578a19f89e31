"""The kit: the folder that a candidate receives. It holds no answer, and no path to one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exercises import places
from exercises.exercise import Exercise
from exercises.tree import LEAVINGS, Tree, write_tree

BRIEF = "BRIEF.md"
MANIFEST = "kit.toml"
GITIGNORE = ".gitignore"
CONTRACT_FILES = ("CONTRACT.md", "openapi.yaml")
#: What every kit holds besides the service.
KIT_FILES = frozenset({BRIEF, MANIFEST, GITIGNORE, *CONTRACT_FILES})

#: Git leaves aside what a hand-in leaves aside: environments, caches, editors' folders.
_GITIGNORE = "".join(f"{name}\n" for name in LEAVINGS if name != ".git")

#: Whoever publishes it anyway has read this.
_PLEA = """
---

Others are to work on this too: please publish neither the brief nor the service. {canary}
"""

#: The one commit of a kit is the same whenever it is made.
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Payments team",
    "GIT_AUTHOR_EMAIL": "payments@example.com",
    "GIT_AUTHOR_DATE": "2025-01-01T09:00:00Z",
    "GIT_COMMITTER_NAME": "Payments team",
    "GIT_COMMITTER_EMAIL": "payments@example.com",
    "GIT_COMMITTER_DATE": "2025-01-01T09:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class KitError(Exception):
    """A kit cannot be written there, or read; one sentence."""


class Kit(BaseModel):
    """``kit.toml``: which exercise a folder was made for, in the form of which seed.

    It says nothing about the flaws.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    exercise: Annotated[str, Field(max_length=100)]
    track: Annotated[str, Field(max_length=100)] = "fastapi"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    assay: Annotated[str, Field(max_length=100)] = ""
    canary: Annotated[str, Field(max_length=3000)] = ""

    def to_toml(self) -> str:
        """The text of ``kit.toml``."""
        return (
            "# Which exercise this folder belongs to; 'assay check' reads it.\n"
            f'exercise = "{self.exercise}"\n'
            f'track = "{self.track}"\n'
            f"seed = {self.seed}\n"
            f'assay = "{self.assay}"\n'
            f'canary = "{self.canary}"\n'
        )


def beside_the_service(exercise: Exercise) -> frozenset[str]:
    """The paths of a kit that are no part of a submission's difference from the starter."""
    return KIT_FILES | exercise.enclosed.keys()


def kit_tree(exercise: Exercise, version: str, canary: str) -> dict[str, bytes]:
    """Every file of the kit: the starter, and what is beside it."""
    tree = {**exercise.starter(), **exercise.enclosed}
    kit = Kit(
        exercise=exercise.id,
        track=exercise.track,
        seed=exercise.seed,
        assay=version,
        canary=canary,
    )
    tree[BRIEF] = f"{exercise.brief}{_PLEA.format(canary=canary)}".encode()
    tree[MANIFEST] = kit.to_toml().encode()
    tree[GITIGNORE] = _GITIGNORE.encode()
    for name in CONTRACT_FILES:
        tree[name] = (places.CONTRACT / name).read_bytes()
    return tree


def write_kit(exercise: Exercise, folder: Path, version: str, canary: str) -> None:
    """Writes the kit into a new or empty folder, as a git repository of one commit.

    ``canary`` tells which kit it is (``exercises.canary``).

    Raises ``KitError`` where the folder is taken or git is missing.
    """
    git = shutil.which("git")
    if git is None:
        raise KitError("git is not installed, and a kit is a git repository: install git.")
    if folder.exists() and not folder.is_dir():
        raise KitError(f"{folder} is a file: name a new or an empty folder.")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise KitError(f"{folder} is not empty: name a new or an empty folder.")
        write_tree(kit_tree(exercise, version, canary), folder)
    except OSError as failure:
        raise KitError(f"{folder} cannot be written: {failure.strerror}.") from failure
    _commit(git, folder, exercise.title)


def read_kit(tree: Tree) -> Kit | None:
    """The kit's manifest, or ``None`` where there is none or it says nothing that can be read."""
    data = tree.get(MANIFEST)
    if data is None:
        return None
    try:
        return Kit.model_validate(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError):
        return None


def _commit(git: str, folder: Path, title: str) -> None:
    environment = {**os.environ, **_AUTHOR}
    for name in [name for name in environment if name.startswith("GIT_") and name not in _AUTHOR]:
        del environment[name]  # a caller's GIT_DIR would send the commit elsewhere
    commands = (
        ["init", "--quiet", "--initial-branch=main", "--template="],
        ["add", "--all", "--force"],
        ["commit", "--quiet", "--no-gpg-sign", "--message", title],
    )
    for command in commands:
        done = subprocess.run(
            [git, "-c", "core.autocrlf=false", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise KitError(f"git {command[0]} failed in {folder}: {done.stderr.strip()}")
