"""A submission's requirements file, read as the hostile input it is.

Only names, versions, markers and hashes pass: no index, no other file, no address, no editable
install, nothing that would make the installer read or run anything of the submission's choosing.
"""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from checks.testbed.errors import SubmissionError

_SIZE_LIMIT = 256 * 1024
_COUNT_LIMIT = 500
#: What the installer would take for a file.
_ARCHIVES = (".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".lz", ".lzma", ".tar")
_HASH = re.compile(r"\s--hash=(sha(?:256|384|512):[0-9a-f]{64,128})(?=\s|$)")


def read_requirements(submission: Path, name: str) -> tuple[str, ...]:
    """The requirements, in one spelling each and in order of names.

    Raises ``SubmissionError`` with the line that may not stand there.
    """
    path = submission / name
    try:
        inside = path.resolve(strict=True).is_relative_to(submission.resolve())
        if not inside or not path.is_file():
            raise FileNotFoundError
        if path.stat().st_size > _SIZE_LIMIT:
            raise _wrong(f"{name} is larger than {_SIZE_LIMIT // 1024} KiB.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _wrong(f"The submission has no file {name!r}, which assay.toml names.") from error
    except UnicodeDecodeError as error:
        raise _wrong(f"{name} is not UTF-8 text.") from error
    lines = (_without_comment(line) for line in text.replace("\\\n", " ").splitlines())
    wanted = {_requirement(name, line) for line in lines if line}
    if len(wanted) > _COUNT_LIMIT:
        raise _wrong(f"{name} asks for more than {_COUNT_LIMIT} packages.")
    return tuple(sorted(wanted))


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).strip()


def _requirement(name: str, line: str) -> str:
    hashes = sorted(_HASH.findall(line))
    bare = _HASH.sub("", line).strip()
    shown = bare if len(bare) <= 80 else bare[:79] + "…"
    if bare.startswith("-"):
        raise _wrong(f"{name}: options are not taken, only packages and their versions: {shown!r}.")
    try:
        requirement = Requirement(bare)
    except InvalidRequirement as error:
        raise _wrong(f"{name}: this is not a package and its version: {shown!r}.") from error
    if requirement.url or requirement.name.lower().endswith(_ARCHIVES):
        raise _wrong(f"{name}: packages come from the index, not from an address: {shown!r}.")
    return " ".join([str(requirement), *(f"--hash={digest}" for digest in hashes)])


def _wrong(sentence: str) -> SubmissionError:
    return SubmissionError(sentence, "environment")
