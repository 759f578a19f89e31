"""What holds for all tests."""

from __future__ import annotations

import os
import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Kits that tests make are sealed with a key of theirs, not with the developer's."""
    os.environ["ASSAY_CANARY_KEY"] = str(tmp_path_factory.mktemp("key") / "canary.key")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A job in the background ignores SIGINT, and so would every command that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
