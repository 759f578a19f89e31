"""What tests of whole commands share: the command itself, and a service that is merely ready."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Says that it is alive and ready, and knows nothing else; tests add to it.
READY = """
import os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path in ("/healthz", "/readyz")
        body = b'{"status": "ok"}' if known else b'{"code": "not_found"}'
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_):
        pass

def serve(port=None):
    address = ("127.0.0.1", port or int(sys.argv[1]))
    ThreadingHTTPServer(address, Handler).serve_forever()
"""


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: ours, and so much more."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}


def assay(
    *arguments: str | Path, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; ``more`` goes into its environment."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=cwd,
        env=environment(**more),
    )


def submission(folder: Path, code: str, name: str = "service.py") -> Path:
    """A submission without requirements whose service is this code, in a file of this name."""
    folder.mkdir()
    (folder / name).write_text(code)
    (folder / "requirements.txt").write_text("")
    (folder / "assay.toml").write_text(
        '[runtime]\nkind = "python"\n'
        f'[service]\ncontract = "v1"\nweb = ["python", "{name}", "{{port}}"]\n'
    )
    return folder
