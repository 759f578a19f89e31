"""Having a message sent (section 14 of the contract)."""

from http import HTTPStatus

from payments.bank.protocol import Payee
from payments.kit.logging import logger
from payments.kit.money import decimal_string
from payments.kit.outbound import UnansweredError, Watch, ask, open_client, unwatched
from payments.kit.problems import RETRY_SECONDS, Problem
from payments.kit.settings import Settings

CALL_SECONDS = 2.0


class NotifierClient:
    """The notifier, as this process reaches it. Without an address nothing is sent."""

    def __init__(self, settings: Settings, watch: Watch = unwatched) -> None:
        url, key = settings.notifier_url, settings.notifier_api_key
        self._http = open_client(url, key, watch) if url else None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def send_code(
        self, to: str, code: str, payout: str, amount: int, currency: str, payee: Payee
    ) -> None:
        """Tell a client a code, and what it is good for.

        Raises:
            Problem: 503 ``notifier_unavailable``.
        """
        if self._http is None:
            raise unavailable("no notifier is configured")
        message = {
            "to": to,
            "payout": payout,
            "amount": decimal_string(amount, currency),
            "currency": currency,
            "payee": payee.body(),
            "code": code,
        }
        try:
            reply = await ask(
                self._http, "POST", "/v1/messages", seconds=CALL_SECONDS, body=message
            )
        except UnansweredError as error:
            raise unavailable(str(error)) from None
        if reply.status != HTTPStatus.ACCEPTED:
            raise unavailable(f"status {reply.status}")


def unavailable(why: str) -> Problem:
    """The message could not be sent, as far as we know; ``why`` is for the log."""
    logger().warning("notifier_unavailable", why=why)
    return Problem(
        503,
        "notifier_unavailable",
        "The message with the code could not be sent.",
        retry_after=RETRY_SECONDS,
    )
