"""What only the database knows, measured by the worker now and then (contract 7.8).

Each statement is answered by an index and reads a bounded number of rows, so that a backlog does
not grow by being looked at: counts stop at ``MOST``.
"""

import time
from collections.abc import Mapping

from sqlalchemy import text

from payments.dependencies import Context
from payments.kit.logging import logger
from payments.telemetry.metrics import Metrics

MOST = 10_000

TRANSACTIONS = 2_000
"""How many transactions of the ledger are looked at each time, in turn."""

_OPEN_OPERATIONS = """
    SELECT status, created_at, due_at, claimed_until FROM operations
    WHERE status IN ('pending', 'unknown') ORDER BY due_at LIMIT :most"""

_OPEN_PAYOUTS = """
    SELECT status, created_at, due_at, claimed_until FROM payouts
    WHERE status IN ('approved', 'unknown', 'submitted') ORDER BY due_at LIMIT :most"""

_UNKNOWN = "SELECT created_at FROM ({open}) AS open WHERE status = 'unknown'"

_OVERDUE = """
    SELECT due_at FROM ({open}) AS open WHERE due_at <= clock_timestamp()
    AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())"""

_BACKLOGS = {
    ("operation", "unknown"): _UNKNOWN.format(open=_OPEN_OPERATIONS),
    ("operation", "overdue"): _OVERDUE.format(open=_OPEN_OPERATIONS),
    ("payout", "unknown"): _UNKNOWN.format(open=_OPEN_PAYOUTS),
    ("payout", "overdue"): _OVERDUE.format(open=_OPEN_PAYOUTS),
    ("event", "unpublished"): """
        SELECT created_at FROM events WHERE published_at IS NULL ORDER BY number LIMIT :most""",
    ("delivery", "overdue"): """
        SELECT due_at FROM deliveries WHERE status = 'pending' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :most""",
    ("delivery", "dead"): """
        SELECT created_at FROM deliveries WHERE status = 'dead' ORDER BY created_at LIMIT :most""",
}

_COUNTED = """
    SELECT count(*) AS amount,
           coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0) AS seconds
    FROM ({rows}) AS waiting (since)
"""

_SLICE = text("""
    WITH slice AS MATERIALIZED (
        SELECT id FROM transactions WHERE id > :after ORDER BY id LIMIT :limit
    ), unbalanced AS (
        SELECT slice.id FROM slice LEFT JOIN entries ON entries.transaction_id = slice.id
        GROUP BY slice.id, entries.currency HAVING coalesce(sum(entries.amount), 1) <> 0
    )
    SELECT (SELECT count(*) FROM slice) AS amount, (SELECT max(id) FROM slice) AS last,
           ARRAY(SELECT DISTINCT id FROM unbalanced) AS unbalanced
""")


class Measurement:
    """The gauges of a worker, and how far through the ledger it is."""

    def __init__(self, metrics: Metrics) -> None:
        labels = ("object", "state")
        self._backlog = metrics.gauge(
            "payments_backlog", f"What waits, or is given up; counted up to {MOST}.", labels
        )
        self._oldest = metrics.gauge(
            "payments_backlog_oldest_seconds", "For how long the oldest of it has.", labels
        )
        self._unbalanced = metrics.gauge(
            "payments_ledger_unbalanced_transactions",
            "Transactions found whose entries do not sum to zero in each currency.",
        )
        self._looked_at = metrics.gauge(
            "payments_ledger_looked_at_transactions", "How many of the present round are seen."
        )
        self._rounds = metrics.gauge(
            "payments_ledger_rounds", "How often the whole ledger was gone through."
        )
        self._measured = metrics.gauge(
            "payments_measured_timestamp_seconds", "When all of this was measured last."
        )
        self._after = ""
        self._found: set[str] = set()

    async def take(self, context: Context) -> None:
        """Measure once."""
        for (kind, state), rows in _BACKLOGS.items():
            seen = await _one(context, _COUNTED.format(rows=rows), {"most": MOST})
            self._backlog.labels(kind, state).set(seen["amount"])
            self._oldest.labels(kind, state).set(max(float(seen["seconds"]), 0))
        await self._look_at_the_ledger(context)
        self._measured.set(time.time())

    async def _look_at_the_ledger(self, context: Context) -> None:
        """Go on through the ledger; a transaction that does not balance now never will."""
        uow = context.database.unit_of_work()
        async with uow:
            found = await uow.session.execute(_SLICE, {"after": self._after, "limit": TRANSACTIONS})
            seen = found.one()
        for transaction in set(seen.unbalanced) - self._found:
            logger().error("ledger_unbalanced", transaction=transaction)
        self._found |= set(seen.unbalanced)
        self._unbalanced.set(len(self._found))
        if seen.amount < TRANSACTIONS:
            self._after = ""
            self._looked_at.set(0)
            self._rounds.inc()
        else:
            self._after = seen.last
            self._looked_at.inc(seen.amount)


async def _one(
    context: Context, statement: str, parameters: Mapping[str, object]
) -> Mapping[str, float]:
    """The one row of a statement, in a transaction of its own."""
    uow = context.database.unit_of_work()
    async with uow:
        row = (await uow.session.execute(text(statement), dict(parameters))).one()
        return dict(row._mapping)
