"""Reads in a submission's source how the signatures of notices are compared.

The source is gathered as the scanners' is, and followed in a process of its own, bounded like
theirs: whatever a file does to a parser, there is an answer, if only that there is none.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from pydantic import ValidationError

from checks.static.flow.reading import Reading
from checks.static.limits import Limits, ScannerError, run_scanner
from checks.static.source import Sources, gather

_ROOT = Path(__file__).parents[2]
_FILE = "source.json"
_START = "import sys; sys.path.insert(0, sys.argv[1]); from checks.static.flow.reading import main"
_LIMITS = Limits(seconds=60.0, memory=2 << 30, output=1 << 20)


async def read_signatures(folder: Path) -> Reading:
    """How the source in a folder compares the signatures of notices; never raises for its sake."""
    sources = await asyncio.to_thread(gather, folder)
    with tempfile.TemporaryDirectory(prefix="assay-flow-", ignore_cleanup_errors=True) as name:
        private = Path(name)
        await asyncio.to_thread(_write, sources, private / _FILE)
        argv = [sys.executable, "-I", "-c", f"{_START}; main()", str(_ROOT), _FILE]
        try:
            said = await run_scanner(
                "The reader of the source", argv, private, _LIMITS, accept=frozenset({0})
            )
            return Reading.model_validate_json(said)
        except (ScannerError, ValidationError) as failure:
            return Reading(answer="unknown", because=f"The source could not be read: {failure}")


def _write(sources: Sources, file: Path) -> None:
    texts = {one.path: one.text for one in sources.files}
    file.write_text(json.dumps(texts), encoding="utf-8")
