"""The service's own processes, as they are run in production."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parent.parent

PATIENCE = 180
"""Seconds; nothing is judged by it, it only ends a test that would never end."""


@contextmanager
def process(
    environment: Mapping[str, str], *arguments: str, log: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the service; killed at the end if it still runs."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()
