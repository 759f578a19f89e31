"""What a check gets hold of when it is handed a running testbed: addresses and credentials.

The harness starts testbeds and lends them out over a broker's Unix socket; a pytest worker asks for
one and receives this. It is data only, so that it can cross a process boundary.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

#: Replicas of a testbed, unless more are asked for.
REPLICAS = 2

#: Faults that one check scripts must not open the circuit for all that share the testbed, and a
#: claim whose holder is held up, by a gate or a busy machine, is not one whose holder died. What a
#: merchant's server does not take is given up after pauses of 1.3 seconds rather than of 18 hours.
SHARED_SETTINGS = {
    "BREAKER_FAILURES": "1000",
    "CLAIM_LEASE_SECONDS": "30",
    "WEBHOOK_RETRY_SECONDS": "0.0001",
}


class Lease(BaseModel):
    """A testbed lent to one check (``exclusive``) or to all that may share it (``shared``).

    ``replicas`` are base URLs, one a process. ``observer_dsn`` is a superuser's connection to the
    submission's database, past the SQL proxy. ``control`` is the Unix socket on which simulators
    and proxies are scripted and read (the broker's own), where ``id`` addresses this testbed. The
    JWT keys are PEM; with the private one a check signs tokens as the service would, and with the
    secrets notices as the PSP and the bank would. The receiver's ports are for HTTP and for TLS.
    ``source`` is the folder of the submission as it was handed in: hostile, and data only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["shared", "exclusive"]
    replicas: tuple[str, ...]
    control: str
    observer_dsn: str
    admin_token: str
    jwt_public_key: str
    jwt_private_key: str = ""
    public_url: str
    psp_secret: str = ""
    bank_secret: str = ""
    receiver_port: int = 0
    receiver_tls_port: int = 0
    settings: dict[str, str]
    source: str
