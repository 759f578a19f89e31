"""The notifier simulator: the sender of messages of the contract's section 14, over real HTTP.

Its journal holds the messages, as the people they are for would read them.
"""

from __future__ import annotations

import json

from checks.testbed.http import Answer, Received
from checks.testbed.simulator import Conduct, Conducts, Party, entry_of, refusal


class Notifier(Party):
    """One testbed's notifier. What it does is scripted payout by payout."""

    name = "notifier"

    def __init__(self, api_key: str, lines: int = 1) -> None:
        super().__init__(api_key, lines)
        self._conducts = Conducts(Conduct())

    def conduct(self, payout: str, conduct: Conduct | None) -> None:
        """Behave so towards messages about this payout; ``None``: as it should be."""
        self._conducts.set(payout, conduct)

    def lift(self) -> None:
        """Take every message."""
        self._conducts.lift()

    async def _answer(self, received: Received) -> Answer | None:
        try:
            message = json.loads(received.body)
        except ValueError:
            message = None
        payout = message.get("payout") if isinstance(message, dict) else None
        token = payout if isinstance(payout, str) else None
        entry = entry_of(received, token)
        await self._journal.note(entry)
        refused = self._refused(received, ("POST", "/v1/messages"))
        if refused is None and token is None:
            refused = refusal(422, "unreadable_message")
        if refused is not None:
            return entry.ended(refused)
        entry.effect = self._conducts.about(token).done
        return entry.ended(await self._conducts.said(token, Answer(202, "{}")))
