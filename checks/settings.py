"""Settings that exclusive checks run the service with (contract 7.3).

Checks of the same settings can follow one another on one testbed.
"""

from __future__ import annotations

#: A claim whose holder is held up at a gate is not one whose holder died.
PATIENT_CLAIMS = {"CLAIM_LEASE_SECONDS": "30"}

#: Short enough that a PSP which hangs is given up quickly; faults do not open the breaker.
IMPATIENT_CALLS = {
    "PSP_DEADLINE_SECONDS": "1",
    "PSP_MAX_ATTEMPTS": "2",
    "BREAKER_FAILURES": "1000",
}
