"""Settings that exclusive checks run the service with (contract 7.3).

Checks of the same settings can follow one another on one testbed.
"""

from __future__ import annotations

from checks.testbed.lease import SHARED_SETTINGS

#: As on the shared testbed, which such a check may take over once nobody shares it any more.
PATIENT_CLAIMS = dict(SHARED_SETTINGS)

#: The same; and a quote does not run out while others are executed.
LASTING_QUOTES = {**PATIENT_CLAIMS, "QUOTE_TTL_SECONDS": "3600"}

#: As on the shared testbed, whose worker has no part in what is looked at.
NO_WORKER = {**PATIENT_CLAIMS, "RECONCILE_INTERVAL_SECONDS": "60"}

#: The same, and what the PSP does not answer is soon left open.
ONE_ATTEMPT = {**NO_WORKER, "BREAKER_FAILURES": "1000", "PSP_MAX_ATTEMPTS": "1"}

#: Fees of ten per cent: every tenth amount's is a tie, of odd amounts and of broken pounds too.
TENTHS = {**PATIENT_CLAIMS, "FEE_BPS": "1000", "QUOTE_FEE_BPS": "1000"}

#: Short enough that a PSP which hangs is given up quickly; faults do not open the breaker.
IMPATIENT_CALLS = {
    "PSP_DEADLINE_SECONDS": "1",
    "PSP_MAX_ATTEMPTS": "2",
    "BREAKER_FAILURES": "1000",
}

#: Shorter than the work that a claim stands for, when the PSP takes its time.
SHORT_CLAIMS = {"CLAIM_LEASE_SECONDS": "1", "BREAKER_FAILURES": "1000"}

#: Limits that are soon reached: a quote lives for a second, and a client may make sixty requests at
#: once and one a second more.
SOON_REACHED = {
    "QUOTE_TTL_SECONDS": "1",
    "RATE_LIMIT_BURST": "60",
    "RATE_LIMIT_PER_SECOND": "1",
}

#: The default of PAYOUT_DAILY_LIMIT, in minor units (contract 12.4).
DAILY_LIMIT = 100_000_000
