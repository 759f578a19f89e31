"""The key that kits' canaries are sealed with: a file of whoever hands kits out."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from exercises.canary import KEY_BYTES
from harness.errors import UsageError

#: Names another place for it than the usual one.
VARIABLE = "ASSAY_CANARY_KEY"


def place() -> Path:
    """Where it is, or will be."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "assay" / "canary.key"


def read_key() -> bytes | None:
    """The key, if there is one. Raises ``UsageError`` for what is none."""
    path = place()
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as failure:
        raise UsageError(f"{path} cannot be read as a key of canaries ({VARIABLE}).") from failure
    if len(key) != KEY_BYTES:
        raise UsageError(f"{path} holds {len(key)} bytes; a key of canaries has {KEY_BYTES}.")
    return key


def require_key() -> bytes:
    """The key; a new one, which nobody else can read, where there is none yet.

    Raises ``UsageError`` where it can be neither read nor written.
    """
    if (key := read_key()) is not None:
        return key
    path, new = place(), secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, new)
    except OSError as failure:
        if (key := read_key()) is not None:  # somebody else was quicker
            return key
        raise UsageError(
            f"{path} cannot be written ({failure.strerror}): name another file for the key of"
            f" canaries by {VARIABLE}."
        ) from failure
    return new


def _write(path: Path, key: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key.hex()}\n")
