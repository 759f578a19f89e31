"""``assay.toml``: how a submission is built and run, in any language.

Every mistake in it is one sentence, because a candidate reads it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from checks.testbed.errors import SubmissionError

NAME = "assay.toml"
_SIZE_LIMIT = 64 * 1024

Word = Annotated[str, Field(min_length=1, max_length=4096)]
Command = Annotated[tuple[Word, ...], Field(max_length=256)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Runtime(_Table):
    """What the service runs on: a Python environment of exactly these requirements."""

    kind: Literal["python"]
    requirements: str = "requirements.txt"

    @field_validator("requirements")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or not value or "\0" in value:
            raise ValueError("must name a file inside the submission")
        return value


class ServiceTable(_Table):
    """The commands; ``{port}`` stands for the port to listen on at 127.0.0.1.

    ``build`` commands run once, offline; ``migrate`` once, on an empty database; ``web`` as two or
    more replicas; ``worker`` beside them (none when empty). ``ready`` is the path that answers 2xx
    once a replica can serve.
    """

    contract: Literal["v1"]
    build: Annotated[tuple[Command, ...], Field(max_length=32)] = ()
    migrate: Command = ()
    web: Annotated[Command, Field(min_length=1)]
    worker: Command = ()
    ready: Annotated[str, Field(max_length=512, pattern=r"^/[!-~]*$")] = "/readyz"

    @field_validator("build", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        """A single command may be written without the outer brackets."""
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            return [value]
        return value

    @field_validator("build", "migrate", "web", "worker")
    @classmethod
    def _executable(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        words = [w for part in value for w in (part if isinstance(part, tuple) else (part,))]
        if any("\0" in str(word) for word in words):
            raise ValueError("must not hold a NUL character")
        return value

    @field_validator("web")
    @classmethod
    def _told_its_port(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not any("{port}" in word for word in value):
            raise ValueError("must have {port} where the service takes its port")
        return value


class Manifest(_Table):
    """The whole file."""

    runtime: Runtime
    service: ServiceTable


def read_manifest(submission: Path) -> Manifest:
    """The manifest of a submission's folder. Raises ``SubmissionError``, in one sentence."""
    path = submission / NAME
    try:
        if path.is_symlink() or not path.is_file():
            raise _wrong(f"The submission has no {NAME} at its root.")
        if path.stat().st_size > _SIZE_LIMIT:
            raise _wrong(f"{NAME} is larger than {_SIZE_LIMIT // 1024} KiB.")
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"{NAME} is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
        raise _wrong(f"{NAME}: {where}: {what}.") from error


def with_port(command: Command, port: int) -> list[str]:
    """The command, with ``{port}`` replaced."""
    return [word.replace("{port}", str(port)) for word in command]


def _wrong(sentence: str) -> SubmissionError:
    return SubmissionError(sentence, "environment")
