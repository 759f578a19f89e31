"""capture-twice: captures of one authorisation that come together (CWE-837)."""

from __future__ import annotations

from functools import partial

from checks import contract
from checks.attachment import Psp, Testbed
from checks.concurrency.capturing import HINT, Capturing
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import contend
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant
from checks.verdicts import Vulnerable


@check(
    "capture-twice",
    needs=contract.payments,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def an_authorisation_is_captured_once(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Captures that come at once take an authorised payment once."""
    capturing = await Capturing.open(alice, psp, fresh)
    prepare = partial(capturing.contest, (None, None, capturing.parts[0]))
    await contend(testbed, prepare, "capture", Judge(HINT))


@check(
    "capture-twice",
    needs=contract.payments,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def a_part_is_captured_once(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Captures of parts, which fit into the authorised amount together, are one at most."""
    capturing = await Capturing.open(alice, psp, fresh)
    prepare = partial(capturing.contest, capturing.parts)
    await contend(testbed, prepare, "partial capture", Judge(HINT))


@check(
    "capture-twice",
    needs=contract.payments,
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def a_capture_without_an_outcome_counts(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """What may have been captured already cannot be captured again."""
    card, authorised = fresh.card(), fresh.money(10_000, 90_000)
    payment = await alice.pay(authorised, capture=False, card=card)
    path = f"{payment.url}/capture"
    fault = await psp.fault("drop_after", "capture", "lookup", token=card)
    with probe("a capture that the PSP carries out without a word, and another") as attempt:
        first = await alice.post(path, {}, key=fresh.key())
        if not ambiguous(first):
            attempt.note("The outcome was said to be known: another check's matter.")
        before = await _captures(psp, card)
        second = await alice.post(path, {}, key=fresh.key())
        await psp.lift(fault)
        done = await _captures(psp, card)
        # What the first one's retries came to is another check's matter.
        if done > max(before, 1):
            raise Vulnerable(
                f"{first} to a capture of {authorised}, and {second} to one more; the PSP had"
                f" carried out {before}, and then {done}.",
                HINT,
            )


async def _captures(psp: Psp, card: str) -> int:
    """How many captures the PSP has carried out on a card."""
    return sum(effect.type == "capture" for effect in effects(await psp.journal(card)))
