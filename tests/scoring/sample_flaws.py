"""The flaws and legitimate flows that sample evidence speaks about."""

from __future__ import annotations

from typing import NamedTuple

from checks.evidence import FlawFacts, Lesson, Severity


class Seed(NamedTuple):
    """The facts of one flaw."""

    id: str
    title: str
    family: str
    severity: Severity
    cwe: int
    competencies: tuple[str, ...]
    check: str
    rule: str


FLAWS = (
    Seed(
        "payment-idor",
        "Another merchant's payment can be read, captured, voided or refunded",
        "security",
        "critical",
        639,
        ("security.authorisation",),
        "security/another_merchant_cannot_read_a_payment",
        "A payment is visible only to the merchant that took it.",
    ),
    Seed(
        "mass-assignment",
        "A request's body sets the status, owner or balance",
        "security",
        "high",
        915,
        ("security.data-exposure", "api.validation"),
        "security/a_body_sets_nothing_that_is_not_its_own",
        "Clients never set ids, owners, statuses, balances or timestamps.",
    ),
    Seed(
        "jwt-algorithm",
        "A token may choose the algorithm it is verified with",
        "security",
        "critical",
        347,
        ("security.authentication",),
        "security/a_token_cannot_choose_its_algorithm",
        "A token is verified with EdDSA, whatever its header says.",
    ),
    Seed(
        "jwt-claims",
        "A token's audience, issuer or expiry is ignored",
        "security",
        "high",
        287,
        ("security.authentication",),
        "security/a_token_for_somebody_else_is_refused",
        "Audience, issuer and expiry of a token are verified.",
    ),
    Seed(
        "sort-injection",
        "The sort order reaches the SQL text",
        "security",
        "critical",
        89,
        ("security.injection", "api.pagination"),
        "security/a_sort_order_is_never_sql",
        "A sort outside the documented set is 422.",
    ),
    Seed(
        "negative-amount",
        "Zero, negative or fractional amounts move money",
        "money",
        "critical",
        1284,
        ("money.arithmetic", "api.validation"),
        "money/amounts_are_positive_integers",
        "Amounts are integers from 1 to 10^12.",
    ),
    Seed(
        "transfer-double-spend",
        "Two transfers at once spend the same money",
        "concurrency",
        "critical",
        362,
        ("db.locking", "db.transactions", "money.ledger"),
        "concurrency/simultaneous_transfers_never_overdraw",
        "A merchant's available balance is never negative, however many transfers arrive at once.",
    ),
    Seed(
        "over-refund-race",
        "Simultaneous refunds exceed what was captured",
        "concurrency",
        "high",
        367,
        ("db.locking", "money.ledger"),
        "concurrency/simultaneous_refunds_never_exceed_the_capture",
        "Refunds are together at most the captured amount, however many arrive at once.",
    ),
    Seed(
        "idempotency-missing",
        "A repeated request pays twice",
        "idempotency",
        "high",
        837,
        ("distributed.idempotency",),
        "idempotency/a_repeat_takes_effect_once",
        "The same key and body give the first answer again, and no second effect.",
    ),
    Seed(
        "idempotency-claim-race",
        "Two requests with one key both execute",
        "idempotency",
        "high",
        362,
        ("distributed.idempotency", "db.locking"),
        "idempotency/twins_take_effect_once",
        "Two requests with one key at the same moment take effect once.",
    ),
    Seed(
        "psp-timeout-is-failure",
        "A timeout of the PSP marks the payment declined",
        "resilience",
        "high",
        755,
        ("resilience.outside-calls", "distributed.retries"),
        "resilience/a_timeout_is_unknown_until_the_psp_is_asked",
        "A timeout is ambiguous: never captured and never declined.",
    ),
    Seed(
        "exception-means-paid",
        "A swallowed error ends as a captured payment",
        "resilience",
        "high",
        390,
        ("resilience.failures",),
        "resilience/nonsense_from_the_psp_is_never_a_capture",
        "A reply that cannot be read is ambiguous, never captured.",
    ),
    Seed(
        "n-plus-one",
        "The statements of a list grow with its rows",
        "load",
        "medium",
        1050,
        ("db.queries", "performance.latency"),
        "load/a_page_costs_a_bounded_number_of_statements",
        "Statements read for a page are bounded, whatever the tables' sizes.",
    ),
)

FLOWS = (
    ("contract/payments", "A card payment is taken, captured, voided and refunded."),
    ("contract/transfers", "A transfer moves money between two accounts in one currency."),
    ("contract/reversals", "A transfer is reversed once, by the merchant that received it."),
    ("contract/accounts", "An account shows its balance, its entries and its version."),
    ("contract/tokens", "A client exchanges its secret for a token."),
    ("contract/lists", "Lists are paged by cursor, sorted and bounded."),
    ("contract/health", "The service says whether it is alive and ready."),
    ("contract/errors", "Errors are problem details with a stable code."),
)

SOUND_DIFF = '''diff --git a/payments/transfers/service.py b/payments/transfers/service.py
--- a/payments/transfers/service.py
+++ b/payments/transfers/service.py
@@ -41,8 +41,11 @@ class TransferService:
     async def transfer(self, command: TransferCommand) -> Transfer:
         """Moves money between two accounts of one currency."""
-        source = await self.accounts.get(command.source)
-        target = await self.accounts.get(command.target)
-        if source.balance < command.amount:
+        # Sorted, so that opposite transfers never wait for each other.
+        locked = await self.accounts.lock(sorted({command.source, command.target}))
+        source, target = locked[command.source], locked[command.target]
+        if source.merchant_id != self.caller.merchant_id:
+            raise AccountNotFound(command.source)
+        if source.available < command.amount:
             raise InsufficientFunds(source.id)
         return await self.ledger.post(
             Transaction.transfer(source, target, command.amount),
diff --git a/payments/payments/repository.py b/payments/payments/repository.py
--- a/payments/payments/repository.py
+++ b/payments/payments/repository.py
@@ -18,4 +18,5 @@ class PaymentRepository:
     async def get(self, payment_id: str) -> Payment | None:
         """The payment, if the caller may see it."""
         statement = select(Payment).where(Payment.id == payment_id)
+        statement = statement.where(Payment.merchant_id == self.merchant_id)
         return await self.session.scalar(statement)
'''

REFERENCE_DIFF = '''diff --git a/payments/payments/repository.py b/payments/payments/repository.py
--- a/payments/payments/repository.py
+++ b/payments/payments/repository.py
@@ -18,3 +18,7 @@ class PaymentRepository:
     async def get(self, payment_id: str) -> Payment | None:
-        """The payment with that id."""
-        return await self.session.get(Payment, payment_id)
+        """The payment with that id, if it is this merchant's."""
+        return await self.session.scalar(
+            select(Payment).where(
+                Payment.id == payment_id, Payment.merchant_id == self.merchant_id
+            )
+        )
'''


def lesson(title: str) -> Lesson:
    """A lesson as the bank carries it."""
    return Lesson(
        wrong=f"{title}. A client that belongs to one merchant names an object of another, and the "
        "service answers as though it were its own.\n\nThe id is the only thing looked at: "
        "`GET /v1/payments/{id}` reads the row by primary key.",
        why="The query asks for *which* row and forgets to ask *whose*. Authorisation that lives "
        "in each endpoint is forgotten in one of them; authorisation that lives in the repository "
        "is not.\n\n- ids leak through logs, links and support tickets\n- unguessable is not the "
        "same as forbidden",
        incident="In 2018 the invoices of a payments company could be read by counting upwards.",
        fix="Scope every read to the caller where the query is built:\n\n```python\n"
        "statement = select(Payment).where(\n    Payment.id == payment_id,\n"
        "    Payment.merchant_id == self.merchant_id,\n)\n```\n\nAnswer 404, so that the id's "
        "existence is not told either.",
        trade_offs="Row-level security in PostgreSQL guards raw SQL too, at the price of a setting "
        "in every transaction and a role that does not own the tables.",
        questions="1. How would you make it impossible to forget the merchant in the next query?\n"
        "2. What does the answer 403 tell an attacker that 404 does not?\n",
    )


def facts(seed: Seed) -> FlawFacts:
    """What the bank says of the flaw."""
    return FlawFacts(
        id=seed.id,
        title=seed.title,
        family=seed.family,
        severity=seed.severity,
        cwe=(seed.cwe,),
        owasp=("API1:2023",) if seed.family == "security" else (),
        competencies=seed.competencies,
        minutes=10,
        checks=(seed.check,),
        lesson=lesson(seed.title),
        untried=(f"Whether {seed.id} comes back after a day.",),
        difference=REFERENCE_DIFF,
    )
