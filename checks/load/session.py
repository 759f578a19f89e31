"""A merchant's client under load: one request at a time, bounded in time and size, and judged.

Runs inside Locust's process only (it needs gevent).
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust.contrib.fasthttp import FastHttpSession

from checks.load.figures import TIMED_OUT
from checks.load.profile import (
    BODY_BYTES,
    REQUEST_SECONDS,
    WEIGHTS,
    Operation,
    Target,
    card_token,
)

_PROBLEM = 120
_PAGE = 20
_TOKEN_MARGIN = 60.0
_PAYMENTS_AT_START = 4


class WrongAnswer(Exception):  # noqa: N818 - it is the service's error, not ours
    """An answer that the contract does not allow; the message says in what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers by lower-case name, and the JSON object of an answer."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class Session:
    """One merchant of one service, with the books that it keeps for itself.

    ``record`` is called for each request of the mix with its name, seconds and what was wrong.
    """

    target: Target
    client: FastHttpSession
    chance: random.Random
    record: Callable[[Operation, float, str], None]
    token: str = ""
    expires: float = 0.0
    credentials: dict[str, str] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)
    posted: dict[str, int] = field(default_factory=dict)
    payments: list[tuple[str, int]] = field(default_factory=list)
    last: tuple[str, dict[str, Any], str] | None = None
    certain: bool = True

    def prepare(self) -> None:
        """A merchant with three accounts, two of them with money, and some payments.

        Raises ``WrongAnswer``.
        """
        admin = {"Authorization": f"Bearer {self.target.admin_token}"}
        merchant = self._ask("POST", "/v1/merchants", {"name": self._fresh("load")}, admin, (201,))
        owner = merchant.body["owner"]
        self.credentials = {"client_id": owner["id"], "client_secret": owner["secret"]}
        for name in ("current", "savings", "takings"):
            body = {"name": name, "currency": "GBP"}
            account = self._ask("POST", "/v1/accounts", body, self._bearer(), (201,)).body["id"]
            self.accounts.append(account)
            self.posted[account] = 0
        for account in self.accounts[:2]:
            body_ = {"account": account, "amount": _gbp(10**9)}
            headers = admin | {"Idempotency-Key": self._fresh("key")}
            self._ask("POST", "/v1/deposits", body_, headers, (201,))
            self.posted[account] += 10**9
        for _ in range(_PAYMENTS_AT_START):
            self._pay()
        self._refund()

    def step(self) -> None:
        """One request of the mix, chosen by weight; timed, judged and recorded."""
        (operation,) = self.chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        act = {
            "transfer": self._transfer,
            "payment": self._pay,
            "refund": self._refund if self.payments else self._pay,
            "retry": self._retry if self.last else self._transfer,
            "list": self._list,
            "account": self._account,
        }[operation]
        if time.monotonic() > self.expires - _TOKEN_MARGIN:
            self._guarded(self._bearer)
        began = time.perf_counter()
        problem = self._guarded(act)
        self.record(operation, time.perf_counter() - began, problem)

    def settle(self) -> None:
        """Compare the balances with our own books, where no outcome is unknown to us."""
        if self.certain:
            began = time.perf_counter()
            problem = self._guarded(self._compare)
            if problem:
                self.record("account", time.perf_counter() - began, problem)

    def _guarded(self, act: Callable[[], object]) -> str:
        """What was wrong with the answer, or nothing; no fault of a service leaves this."""
        try:
            act()
        except WrongAnswer as error:
            problem = str(error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"the answer lacks what the contract asks for ({type(error).__name__})"
        else:
            return ""
        self.certain = False
        return problem[:_PROBLEM]

    def _transfer(self) -> None:
        source, target = self.chance.sample(self.accounts[:2], 2)
        amount = self.chance.randint(1, 5000)
        body = {"from": source, "to": target, "amount": _gbp(amount)}
        key = self._fresh("key")
        answer = self._move("/v1/transfers", body, key, (201,))
        _expect(answer.body["amount"] == body["amount"], "another amount was transferred")
        self.posted[source] -= amount
        self.posted[target] += amount
        self.last = (key, body, answer.body["id"])

    def _retry(self) -> None:
        if self.last is None:
            raise WrongAnswer("there is nothing to repeat")
        key, body, first = self.last
        answer = self._move("/v1/transfers", body, key, (201,))
        _expect(answer.body["id"] == first, "a repeat had another effect")
        _expect(answer.headers.get("idempotency-replayed") == "true", "a replay does not say so")

    def _pay(self) -> None:
        amount = self.chance.randint(100, 50_000)
        token = card_token(self.chance)
        body = {"account": self.accounts[2], "amount": _gbp(amount), "payment_method": token}
        payment = self._move("/v1/payments", body, self._fresh("key"), (201,)).body
        _expect(payment["status"] == "captured", "a sale was not captured")
        _expect(payment["captured"] == _gbp(amount), "another amount was captured")
        self.posted[self.accounts[2]] += amount - int(payment["fee"]["amount"])
        self.payments.append((payment["id"], amount))

    def _refund(self) -> None:
        index = self.chance.randrange(len(self.payments))
        payment, captured = self.payments.pop(index)
        amount = max(1, captured // 4)
        path = f"/v1/payments/{payment}/refunds"
        refund = self._move(path, {"amount": _gbp(amount)}, self._fresh("key"), (201,)).body
        _expect(refund["status"] == "succeeded", "a refund did not succeed")
        self.posted[self.accounts[2]] -= amount

    def _list(self) -> None:
        page = self._ask("GET", f"/v1/payments?limit={_PAGE}", None, self._bearer(), (200,)).body
        _expect(0 < len(page["data"]) <= _PAGE, "a page has none of the payments, or too many")
        _expect(all(payment["id"] for payment in page["data"]), "a payment has no id")

    def _account(self) -> None:
        account = self.chance.choice(self.accounts)
        body = self._ask("GET", f"/v1/accounts/{account}", None, self._bearer(), (200,)).body
        _expect(body["id"] == account, "another account was shown")
        if self.certain:
            shown = body["balance"]["posted"]["amount"]
            _expect(shown == self.posted[account], "a balance differs from what was moved")

    def _compare(self) -> None:
        for account in self.accounts:
            body = self._ask("GET", f"/v1/accounts/{account}", None, self._bearer(), (200,)).body
            shown = body["balance"]["posted"]["amount"]
            _expect(shown == self.posted[account], "a balance differs from what was moved")

    def _move(self, path: str, body: dict[str, Any], key: str, allowed: Collection[int]) -> Answer:
        return self._ask("POST", path, body, self._bearer() | {"Idempotency-Key": key}, allowed)

    def _bearer(self) -> dict[str, str]:
        """The header with the token, which is used until it is about to expire."""
        if time.monotonic() > self.expires - _TOKEN_MARGIN:
            answer = self._ask("POST", "/v1/token", self.credentials, {}, (200,)).body
            self.token = str(answer["access_token"])
            self.expires = time.monotonic() + max(float(answer["expires_in"]), 2 * _TOKEN_MARGIN)
        return {"Authorization": f"Bearer {self.token}"}

    def _ask(
        self,
        method: str,
        path: str,
        body: object,
        headers: dict[str, str],
        allowed: Collection[int],
    ) -> Answer:
        """One bounded request to a replica; raises ``WrongAnswer`` unless its status is allowed."""
        url = self.chance.choice(self.target.replicas) + path
        with gevent.Timeout(REQUEST_SECONDS, WrongAnswer(TIMED_OUT)):
            answer = self._exchange(method, url, body, headers)
        if answer.status not in allowed:
            raise WrongAnswer(f"{answer.status} {str(answer.body.get('code', ''))[:40]}".strip())
        return answer

    def _exchange(self, method: str, url: str, body: object, headers: dict[str, str]) -> Answer:
        # Bytes, so that headers and body leave in one packet; Locust's types know text only.
        data: Any = json.dumps(body).encode() if body is not None else None
        try:
            response = self.client.request(
                method,
                url,
                data=data,
                headers={
                    "Content-Type": "application/json",
                    # A compressed body could be small on the wire and huge here.
                    "Accept-Encoding": "identity",
                    **headers,
                },
                allow_redirects=False,
                stream=True,
                catch_response=True,
            )
            content = response.read(BODY_BYTES + 1) if response.status_code else b""
            response.release()
        except WrongAnswer:  # the time limit's, thrown in here
            raise
        except TimeoutError:
            raise WrongAnswer(TIMED_OUT) from None
        except Exception as error:
            raise WrongAnswer(f"unreadable answer ({type(error).__name__})") from error
        if not response.status_code:
            raise WrongAnswer(f"no answer ({type(getattr(response, 'error', None)).__name__})")
        if len(content) > BODY_BYTES:
            raise WrongAnswer(f"a body of more than {BODY_BYTES >> 10} KiB")
        fields = {str(k).lower(): str(v) for k, v in (response.headers or {}).items()}
        try:
            parsed = json.loads(content) if content else {}
        except (ValueError, RecursionError):
            parsed = {}
        return Answer(response.status_code, fields, parsed if isinstance(parsed, dict) else {})

    def _fresh(self, prefix: str) -> str:
        return f"{prefix}-{self.chance.getrandbits(96):024x}"


def _gbp(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "GBP"}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WrongAnswer(otherwise)
