"""What is held for a payout when it has ended (contract 12.3, 12.13)."""

from __future__ import annotations

from checks.outgoing import Outgoing, Standing
from checks.tenants import FUNDS
from checks.verdicts import Broken, Vulnerable

HINT = (
    "A hold ends with the status that ends it: let it go, once, in the transaction in which the"
    " payout becomes rejected or failed, whoever brings the news; and never because the bank did"
    " not answer, or answered what cannot be believed."
)

#: What was not paid, and never will be.
UNPAID = ("rejected", "failed")

WHY = "account closed"


async def expect_let_go(out: Outgoing, who: str, *, paid: bool = False) -> None:
    """Nothing of a payout that has ended is held, and of the one that waits all."""
    posted = FUNDS - out.amount if paid else FUNDS

    def as_it_must_be(now: Standing) -> bool:
        return (now.posted, now.held) == (posted, out.waits)

    now = await out.settled(as_it_must_be)
    said = f"{who}: the payout is {now.status}, and the account shows {now} (minor units)"
    if now.held > out.waits:
        raise Vulnerable(
            f"{said}. Only {out.waits} are to be held, for another payout: the rest is out of reach"
            " for ever.",
            HINT,
        )
    if now.held < out.waits:
        raise Vulnerable(
            f"{said}. Of another payout {out.waits} are to be held: more was let go than was held.",
            HINT,
        )
    if now.posted != posted:
        raise Broken(f"{said}; posted must be {posted}.")
    wanted = [("payout", -out.amount)] if paid else []
    if list(now.moved.elements()) != wanted:
        raise Broken(f"{said}; the entries must be {wanted}.")
