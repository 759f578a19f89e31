"""What the bank tells of payouts, in notices and when it is asked (contract 12.16)."""

from __future__ import annotations

HINT = (
    "Let the payout itself say what was learnt: under its lock, or by an update on condition, its"
    " status moves forward once, and hold, ledger and events go with that, in the same transaction."
    " Ids of notices do not do, since the same news comes under another one, and by a look-up."
)
