"""Where the machine plays: one event loop, one replica, and the outside parties."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from sqlalchemy import text

from payments.app import create_app
from payments.dependencies import Context
from payments.kit.settings import Settings
from testkit.api import Caller, Merchant, token_of
from testkit.bank import FakeBank
from testkit.fx import FakeFx
from testkit.model.ledger import Pretty
from testkit.model.payouts import Client
from testkit.notifier import FakeNotifier
from testkit.psp import FakePsp

T = TypeVar("T")


@dataclass(frozen=True)
class Parties:
    """The outside parties."""

    psp: FakePsp
    bank: FakeBank
    fx: FakeFx
    notifier: FakeNotifier


@dataclass(eq=False)
class Person(Pretty):
    """A client of a merchant's, with its token."""

    caller: Caller
    client: Client

    def __repr__(self) -> str:
        return repr(self.client)


@dataclass(eq=False)
class Shop(Pretty):
    """A merchant with an owner, a second owner that the first created, an operator and a viewer."""

    merchant: Merchant
    owner: Person
    second: Person
    operator: Person
    viewer: Person

    def __repr__(self) -> str:
        return f"<{self.id[:8]}>"

    @property
    def id(self) -> str:
        """The merchant's."""
        return self.merchant.id

    @property
    def people(self) -> list[Person]:
        """Those who may move money."""
        return [self.owner, self.second, self.operator]


@dataclass
class Stage:
    """The service, started once, and a loop that runs one thing after the other."""

    runner: asyncio.Runner
    http: httpx.AsyncClient
    context: Context
    parties: Parties

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.runner.run(what)

    def all(self, *what: Coroutine[Any, Any, T]) -> list[T]:
        """Run several things at once, and give what came of each."""

        async def gathered() -> list[T]:
            return await asyncio.gather(*what)

        return self.do(gathered())

    def query(self, statement: str, **parameters: object) -> Sequence[Any]:
        """The rows of a statement in the service's database."""

        async def rows() -> Sequence[Any]:
            async with self.context.database.unit_of_work() as uow:
                return (await uow.session.execute(text(statement), parameters)).all()

        return self.do(rows())

    async def shop(self, merchant: Merchant) -> Shop:
        """A merchant's people."""
        first = Person(merchant, Client(merchant.client_id, "owner"))

        async def hired(role: str) -> Person:
            made = (await merchant.post("/v1/clients", {"name": role, "role": role})).json()
            token = await token_of(self.http, made["id"], made["secret"])
            return Person(Caller(self.http, token), Client(made["id"], role, first.client))

        roles = ("owner", "operator", "viewer")
        return Shop(merchant, first, *await asyncio.gather(*map(hired, roles)))


@contextmanager
def staged(settings: Settings, parties: Parties) -> Iterator[Stage]:
    """Start the service in a loop of its own, until the block ends."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        http = httpx.AsyncClient(transport=transport, base_url="http://payments", timeout=30)
        context: Context = app.state.context
        try:
            yield Stage(runner, http, context, parties)
        finally:
            runner.run(http.aclose())
            runner.run(context.close())
