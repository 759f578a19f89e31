"""What tests of exploring share: the services, how they are explored, and Node's package."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.commands import assay

SERVICES = Path(__file__).parent / "services"

#: What a client of the registry says where there is no network to reach it by.
_NO_NETWORK = re.compile(
    "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET|E403"
)


def environment(**more: str) -> Any:
    """What a service's commands need: this Python before any other."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, **more}


def explored(
    folder: Path, spec: str | Path, *arguments: str | Path, **more: str
) -> tuple[int, dict[str, Any], str]:
    """Explore a service; gives the exit status, the evidence, and what was said."""
    file = folder / "found.json"
    done = assay(
        "explore", SERVICES / spec, "--json", file, *arguments, cwd=folder, **environment(**more)
    )
    found = json.loads(file.read_text()) if file.exists() else {}
    file.unlink(missing_ok=True)
    return done.returncode, found, done.stdout + done.stderr


def node_path(shared: Path) -> str:
    """A folder with the Node service's package, installed once a run; skips where there is none."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed on this machine.")
    folder = shared / "assay-node"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "node_modules" / "pg").is_dir():
            shutil.copy(SERVICES / "node" / "package.json", folder)
            words = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
            done = subprocess.run(
                ["npm", *words],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            if done.returncode and _NO_NETWORK.search(done.stderr):
                pytest.skip("The network does not let npm fetch the package pg.")
            assert done.returncode == 0, done.stderr
    return str(folder / "node_modules")
