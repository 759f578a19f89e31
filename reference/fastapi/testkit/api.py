"""The API as a merchant's program uses it."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

ADMIN_TOKEN = "administrator-for-tests"  # noqa: S105


def money(amount: int, currency: str = "GBP") -> dict[str, Any]:
    """Money as the API speaks it, in minor units."""
    return {"amount": amount, "currency": currency}


def new_key() -> str:
    """A fresh idempotency key."""
    return str(uuid.uuid4())


@dataclass
class Caller:
    """Somebody who calls, with credentials; ``key`` is fresh for each POST unless given."""

    http: httpx.AsyncClient
    token: str | None = None

    def on(self, http: httpx.AsyncClient) -> "Caller":
        """The same caller at another replica."""
        return Caller(http, self.token)

    def _headers(self, extra: dict[str, str] | None) -> dict[str, str]:
        credentials = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return credentials | (extra or {})

    async def get(self, path: str, **parameters: object) -> httpx.Response:
        """GET."""
        given = {name: str(value) for name, value in parameters.items()}
        return await self.http.get(path, params=given, headers=self._headers(None))

    async def post(self, path: str, body: object = None, key: str | None = None) -> httpx.Response:
        """POST with an idempotency key."""
        headers = self._headers({"Idempotency-Key": key or new_key()})
        return await self.http.post(path, json=body, headers=headers)

    async def send(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Anything else."""
        headers = self._headers(how.pop("headers", None))
        return await self.http.request(method, path, headers=headers, **how)


@dataclass
class Merchant(Caller):
    """A merchant's owner."""

    id: str = ""
    client_id: str = ""
    secret: str = ""

    async def account(self, funds: int = 0, currency: str = "GBP") -> str:
        """A new account with money in it; its id."""
        made = await self.post("/v1/accounts", {"name": "till", "currency": currency})
        assert made.status_code == 201, made.text
        account: str = made.json()["id"]
        if funds:
            deposit = {"account": account, "amount": money(funds, currency)}
            done = await Caller(self.http, ADMIN_TOKEN).post("/v1/deposits", deposit)
            assert done.status_code == 201, done.text
        return account

    async def client(self, role: str) -> Caller:
        """Another client of the merchant, with a token."""
        made = (await self.post("/v1/clients", {"name": role, "role": role})).json()
        return Caller(self.http, await token_of(self.http, made["id"], made["secret"]))

    async def pay(self, account: str, amount: int, **more: object) -> httpx.Response:
        """Take a payment."""
        currency = str(more.pop("currency", "GBP"))
        key = more.pop("key", None)
        body = {
            "account": account,
            "amount": money(amount, currency),
            "payment_method": f"tok_{uuid.uuid4().hex[:8]}x",
        }
        return await self.post("/v1/payments", body | more, key=str(key) if key else None)

    async def balance(self, account: str) -> tuple[int, int, int]:
        """Posted, held and available, in minor units."""
        shown = (await self.get(f"/v1/accounts/{account}")).json()["balance"]
        return shown["posted"]["amount"], shown["held"]["amount"], shown["available"]["amount"]

    async def entries(self, account: str) -> list[dict[str, Any]]:
        """All entries of an account, newest first, page by page."""
        found: list[dict[str, Any]] = []
        parameters: dict[str, object] = {"limit": 7}
        while True:
            page = (await self.get(f"/v1/accounts/{account}/entries", **parameters)).json()
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            parameters["cursor"] = page["next_cursor"]


async def token_of(http: httpx.AsyncClient, client_id: str, secret: str) -> str:
    """An access token."""
    answer = await http.post("/v1/token", json={"client_id": client_id, "client_secret": secret})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


async def new_merchant(http: httpx.AsyncClient) -> Merchant:
    """A merchant of its own for a test."""
    made = (await Caller(http, ADMIN_TOKEN).post("/v1/merchants", {"name": "Corner shop"})).json()
    owner = made["owner"]
    token = await token_of(http, owner["id"], owner["secret"])
    return Merchant(http, token, made["id"], owner["id"], owner["secret"])
