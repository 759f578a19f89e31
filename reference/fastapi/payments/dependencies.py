"""What endpoints are handed: the application's parts, and a unit of work of their own."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from payments.access.tokens import Tokens
from payments.bank.client import BankClient
from payments.events.broker import Broker
from payments.events.brokers import open_broker
from payments.fx.client import FxClient
from payments.kit.database import Database, UnitOfWork
from payments.kit.limits import Limiter
from payments.kit.pagination import Cursors
from payments.kit.sealing import Seal
from payments.kit.settings import Settings
from payments.notifier.client import NotifierClient
from payments.payouts.approval import Codes
from payments.psp.client import PspClient
from payments.telemetry.service import Telemetry, open_telemetry
from payments.webhook_endpoints.sender import Sender


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that live as long as the process."""

    settings: Settings
    database: Database
    tokens: Tokens
    cursors: Cursors
    codes: Codes
    psp: PspClient
    fx: FxClient
    bank: BankClient
    notifier: NotifierClient
    broker: Broker
    seal: Seal
    sender: Sender
    limits: Limiter
    telemetry: Telemetry

    async def close(self) -> None:
        """Close connections to the database and to outside parties."""
        await self.psp.close()
        await self.fx.close()
        await self.bank.close()
        await self.notifier.close()
        await self.broker.close()
        await self.sender.close()
        await self.database.close()
        self.telemetry.close()


def build_context(settings: Settings, *, connections: int) -> Context:
    """Build the parts; nothing is connected yet.

    Raises:
        SettingsError: the signing key is not one, or what a setting needs is not installed.
    """
    tokens = Tokens(
        settings.jwt_private_key.get_secret_value(),
        settings.public_url,
        settings.access_token_seconds,
    )
    database = Database(settings.database_url.get_secret_value(), connections=connections)
    telemetry = open_telemetry(settings)
    psp = PspClient(settings, telemetry.watch("psp"))
    telemetry.attach(database, psp, connections=connections)
    return Context(
        settings=settings,
        database=database,
        tokens=tokens,
        cursors=Cursors(tokens.derived_secret()),
        codes=Codes(tokens.derived_secret()),
        psp=psp,
        fx=FxClient(settings, telemetry.watch("fx")),
        bank=BankClient(settings, telemetry.watch("bank")),
        notifier=NotifierClient(settings, telemetry.watch("notifier")),
        seal=Seal(tokens.derived_secret()),
        sender=Sender(settings, telemetry.watch("merchant")),
        limits=Limiter(settings.rate_limit_per_second, settings.rate_limit_burst),
        telemetry=telemetry,
        broker=open_broker(settings.broker_url.get_secret_value(), database),
    )


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextOf = Annotated[Context, Depends(_context)]


async def _unit_of_work(context: ContextOf) -> UnitOfWork:
    return context.database.unit_of_work()


Uow = Annotated[UnitOfWork, Depends(_unit_of_work)]
