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
#: What a kit holds besides the service; no part of a submission's difference from the starter.
KIT_FILES = frozenset({BRIEF, MANIFEST, GITIGNORE, *CONTRACT_FILES})

#: Git leaves aside what a hand-in leaves aside: environments, caches, editors' folders.
_GITIGNORE = "".join(f"{name}\n" for name in LEAVINGS if name != ".git")

#: The one commit of every kit is the same whoever makes it, and whenever.
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
    """``kit.toml``: which exercise a folder was made for. It says nothing about the flaws."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    exercise: Annotated[str, Field(max_length=100)]
    track: Annotated[str, Field(max_length=100)] = "fastapi"
    seed: Annotated[int, Field(ge=0)] = 0
    assay: Annotated[str, Field(max_length=100)] = ""

    def to_toml(self) -> str:
        """The text of ``kit.toml``."""
        return (
            "# Which exercise this folder belongs to; 'assay check' reads it.\n"
            f'exercise = "{self.exercise}"\n'
            f'track = "{self.track}"\n'
            f"seed = {self.seed}\n"
            f'assay = "{self.assay}"\n'
        )


def kit_tree(exercise: Exercise, seed: int, version: str) -> dict[str, bytes]:
    """Every file of the kit: the starter, and beside it what ``KIT_FILES`` names."""
    tree = exercise.starter()
    kit = Kit(exercise=exercise.id, track=exercise.track, seed=seed, assay=version)
    tree[BRIEF] = exercise.brief.encode()
    tree[MANIFEST] = kit.to_toml().encode()
    tree[GITIGNORE] = _GITIGNORE.encode()
    for name in CONTRACT_FILES:
        tree[name] = (places.CONTRACT / name).read_bytes()
    return tree


def write_kit(exercise: Exercise, folder: Path, seed: int, version: str) -> None:
    """Writes the kit into a new or empty folder, as a git repository of one commit.

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
        write_tree(kit_tree(exercise, seed, version), folder)
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
