"""Talking to the bank: one call at a time; whoever calls comes back later."""

from payments.bank import replies
from payments.bank.protocol import Ambiguous, NotDone, Order, Outcome
from payments.kit.logging import logger
from payments.kit.outbound import Reply, UnansweredError, Watch, ask, open_client, unwatched
from payments.kit.settings import Settings

CALL_SECONDS = 2.0
NOWHERE_SECONDS = 60.0


class BankClient:
    """The bank, as this process reaches it. Without an address nothing is done."""

    def __init__(self, settings: Settings, watch: Watch = unwatched) -> None:
        url, key = settings.bank_url, settings.bank_api_key
        self._http = open_client(url, key, watch) if url else None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def submit(self, order: Order) -> Outcome:
        """Have a payment made, or find out that it was: the bank does it once for each key."""
        reply = await self._ask("POST", "/v1/payments", order, order.body())
        return replies.of_post(order, reply) if isinstance(reply, Reply) else reply

    async def look_up(self, order: Order) -> Outcome | None:
        """Ask what became of a payment; None if the bank does not know it (yet)."""
        reply = await self._ask("GET", f"/v1/payments/{order.key}", order)
        return replies.of_look_up(order, reply) if isinstance(reply, Reply) else reply

    async def _ask(
        self, method: str, path: str, order: Order, body: dict[str, object] | None = None
    ) -> Reply | NotDone | Ambiguous:
        if self._http is None:
            return NotDone(NOWHERE_SECONDS)
        key = order.key if body is not None else None
        try:
            return await ask(self._http, method, path, seconds=CALL_SECONDS, key=key, body=body)
        except UnansweredError as error:
            logger().warning("bank_unanswered", payout=order.key, cause=str(error))
            return Ambiguous(str(error))
