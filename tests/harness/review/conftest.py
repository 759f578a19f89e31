"""A kit, and the command running on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.review.kits import small
from tests.harness.review.running import Running, running


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return small(tmp_path / "kit")


@pytest.fixture
def served(kit: Path) -> Iterator[Running]:
    with running(kit) as found:
        yield found
