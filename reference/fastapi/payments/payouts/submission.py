"""Bringing approved payouts to the bank, and asking it what became of them."""

from payments.bank.protocol import Ambiguous, Outcome
from payments.dependencies import Context
from payments.kit.claims import side_by_side
from payments.kit.logging import logger
from payments.payouts import repository
from payments.payouts.models import PayoutStatus
from payments.payouts.settlement import settle

BATCH = 10

LEASE_SECONDS = 5.0
"""Longer than a look-up and a submission take. A claim that is outlived does no harm: whoever takes
it says the same to the bank under the same key."""


NOT_KNOWN_TO_HAVE_ARRIVED = (PayoutStatus.APPROVED.value, PayoutStatus.UNKNOWN.value)


async def of_one(context: Context, payout_id: str) -> None:
    """Ask about one payout, if there is anything to ask and nobody else is at it."""
    uow = context.database.unit_of_work()
    async with uow:
        claimed = await repository.claim_one(uow.session, payout_id, LEASE_SECONDS)
    if claimed:
        await _advance(context, payout_id)


async def of_due(context: Context) -> int:
    """Submit or ask about some that are due, those of other copies left out; how many it were."""
    uow = context.database.unit_of_work()
    async with uow:
        claimed = await repository.claim_due(uow.session, LEASE_SECONDS, BATCH)
    await side_by_side(
        context.telemetry.job("payout", _advance, context), claimed, "submission_failed"
    )
    return len(claimed)


async def _advance(context: Context, payout_id: str) -> None:
    """Take one claimed payout a step further: with the bank in between two transactions.

    What may never have arrived, and the bank does not know, is submitted again under the same key:
    that is safe even if the bank's look-up lags behind. What arrived once is only asked about.
    """
    uow = context.database.unit_of_work()
    async with uow:
        payout = await repository.load(uow.session, payout_id)
    order = payout.order()

    outcome: Outcome | None = None
    if payout.status != PayoutStatus.APPROVED:
        outcome = await context.bank.look_up(order)
    if outcome is None and payout.status in NOT_KNOWN_TO_HAVE_ARRIVED:
        outcome = await context.bank.submit(order)
    outcome = outcome or Ambiguous("not found")

    async with uow:
        settled = await settle(uow.session, payout_id, outcome, context.settings)
    logger().info("payout_advanced", payout=payout_id, status=settled.status)
