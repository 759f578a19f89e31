"""Python environments that hold a submission's requirements and nothing else, built once with uv.

They are cached by what they hold, so that later gradings need no network. Only wheels are
installed: building a source distribution runs its code, and this happens outside the sandbox.
"""

from __future__ import annotations

import asyncio
import configparser
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from checks.testbed import cache, runtime
from checks.testbed.errors import MachineError, UsageError
from checks.testbed.manifest import Manifest
from checks.testbed.requirements import read_requirements

_BUILD_SECONDS = 600

#: What uv draws around its explanations.
_FRAME = " \u00d7\u2570\u2500\u25b6\u2502\u251c"
_FORMAT = 1
_UV_INDEXES = (
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python environment: ``bin`` holds its programs, ``readable`` is all it consists of."""

    folder: Path
    readable: tuple[str, ...]

    @property
    def bin(self) -> Path:
        """What goes first on the service's ``PATH``."""
        return self.folder / "bin"


async def environment(submission: Path, manifest: Manifest) -> Environment:
    """The environment of a submission; built if the cache has none.

    Raises ``SubmissionError`` for a requirements file that may not be, ``UsageError`` for packages
    that cannot be had.
    """
    wanted = read_requirements(submission, manifest.runtime.requirements)
    return await asyncio.to_thread(_environment, wanted)


def _environment(wanted: tuple[str, ...]) -> Environment:
    interpreter = runtime.python()
    identity = json.dumps([_FORMAT, runtime.version(), str(interpreter), wanted])
    key = hashlib.sha256(identity.encode()).hexdigest()[:24]
    place = cache.cache_root() / "environments" / key
    folder = cache.built(place, lambda target: _build(target, interpreter, wanted))
    return Environment(folder, (str(folder), *runtime.readable()))


def _build(target: Path, interpreter: Path, wanted: tuple[str, ...]) -> None:
    _uv("venv", "--quiet", "--allow-existing", "--python", str(interpreter), str(target))
    if not wanted:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("\n".join(wanted) + "\n")
        listing.flush()
        command = ["pip", "install", "--quiet", "--no-build", "--compile-bytecode"]
        command += ["--python", str(target / "bin" / "python"), "--requirements", listing.name]
        _uv(*command, packages=True)


def _uv(*arguments: str, packages: bool = False) -> None:
    try:
        done = subprocess.run(
            [find_uv_bin(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=_BUILD_SECONDS,
            env={**_pip_indexes(), **os.environ, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError("The packages of the submission took too long to fetch.") from error
    if done.returncode == 0:
        return
    why = _reason(done.stderr)
    if packages:
        raise UsageError(f"The submission's requirements cannot be installed: {why}")
    raise MachineError(f"A Python environment could not be made: {why}")


def _reason(output: str) -> str:
    """uv's explanation on one line."""
    lines = [line.strip(_FRAME) for line in output.partition("hint:")[0].splitlines()]
    text = " ".join(line for line in lines if line)
    text = " ".join(text.split())[:600] or "uv gave no reason"
    return text if text.endswith(".") else text + "."


def _pip_indexes() -> dict[str, str]:
    """Where pip is told to find packages, in uv's words: uv does not read pip's configuration.

    What is set for uv itself goes before.
    """
    if any(name in os.environ for name in _UV_INDEXES):
        return {}
    parser = configparser.RawConfigParser(strict=False)
    home = Path.home()
    named = os.environ.get("PIP_CONFIG_FILE")
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    files += [Path(sys.prefix) / "pip.conf", *([Path(named)] if named else [])]
    try:
        parser.read(files, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}

    def setting(name: str) -> list[str]:
        variable = os.environ.get("PIP_" + name.upper().replace("-", "_"))
        for section in ("install", "global"):
            variable = variable or parser.get(section, name, fallback=None)
        return (variable or "").split()

    found = {
        "UV_DEFAULT_INDEX": " ".join(setting("index-url")[:1]),
        "UV_INDEX": " ".join(setting("extra-index-url")),
        "UV_FIND_LINKS": ",".join(setting("find-links")),
        "SSL_CERT_FILE": " ".join(setting("cert")[:1]),
        # As pip does: the best version that any of them has.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if setting("extra-index-url") else "",
    }
    return {name: value for name, value in found.items() if value}
