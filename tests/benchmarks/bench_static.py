"""Seconds of the source scanners over the reference service, as submission and as starter."""

import asyncio
import statistics

from checks.static.scan import scan
from exercises.places import REFERENCE


def main() -> None:
    service = REFERENCE / "fastapi"
    seconds = [asyncio.run(scan(service, service)).seconds for _ in range(5)]
    print(f"{'median':>8} {'worst':>8}")
    print(f"{statistics.median(seconds):8.2f} {max(seconds):8.2f}")


if __name__ == "__main__":
    main()
