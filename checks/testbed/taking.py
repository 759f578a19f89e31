"""How the receiver simulator takes calls, and where it is (``checks.testbed.receiver``)."""

from __future__ import annotations

from pydantic import Field

from checks.testbed.simulator import Conduct

#: Where it listens: what WEBHOOK_ALLOWED_CIDRS allows, and what it does not.
ALLOWED, FORBIDDEN = "127.0.0.1", "127.0.0.2"

#: Of which names its certificate is: whatever stands before this.
DOMAIN = "shops.example"


class Taking(Conduct):
    """How it behaves towards calls of one path: so many ``times``, if that is said, then no more.

    ``retry_after`` seconds are asked for; ``location`` is where an answer points to.
    """

    times: int | None = Field(default=None, ge=1)
    retry_after: int | None = Field(default=None, ge=0)
    location: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Those of its answers."""
        asked = "" if self.retry_after is None else str(self.retry_after)
        given = {"Retry-After": asked, "Location": self.location}
        return {name: value for name, value in given.items() if value}
