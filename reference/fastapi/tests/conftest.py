"""One database, one fake card processor and two replicas for all tests; a merchant for each."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from payments.app import create_app  # noqa: E402
from payments.dependencies import Context  # noqa: E402
from payments.kit.settings import Settings  # noqa: E402
from testkit import bank, fx, notifier, postgres, psp, receiver  # noqa: E402
from testkit import names as names_  # noqa: E402
from testkit.api import ADMIN_TOKEN, Caller, Merchant, new_merchant  # noqa: E402
from testkit.bank import FakeBank  # noqa: E402
from testkit.fx import FakeFx  # noqa: E402
from testkit.names import Names  # noqa: E402
from testkit.notices import SECRETS  # noqa: E402
from testkit.notifier import FakeNotifier  # noqa: E402
from testkit.psp import FakePsp  # noqa: E402
from testkit.receiver import Receiver  # noqa: E402
from testkit.till import Till, move_in_time, new_day  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all: the replicas' connections belong to it."""
    for item in items:
        if item.path.is_relative_to(PROJECT) and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated database, from TEST_DATABASE_URL or of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        _migrate(given)
        yield given
        return
    with postgres.server() as url:
        _migrate(url)
        yield url


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "heads"],
        check=True,
        cwd=PROJECT,
        env=os.environ | {"DATABASE_URL": url},
    )


@pytest.fixture(scope="session")
def psp_server() -> Iterator[FakePsp]:
    """The card processor."""
    with psp.serve() as served:
        yield served


@pytest.fixture
def fake_psp(psp_server: FakePsp) -> Iterator[FakePsp]:
    """The card processor, without faults and with an empty journal."""
    psp_server.reset()
    yield psp_server
    psp_server.reset()


@pytest.fixture(scope="session")
def fx_server() -> Iterator[FakeFx]:
    """The FX provider."""
    with fx.serve() as served:
        yield served


@pytest.fixture
def fake_fx(fx_server: FakeFx) -> Iterator[FakeFx]:
    """The FX provider, telling the truth."""
    fx_server.reset()
    yield fx_server
    fx_server.reset()


@pytest.fixture(scope="session")
def bank_server() -> Iterator[FakeBank]:
    """The bank."""
    with bank.serve() as served:
        yield served


@pytest.fixture
def fake_bank(bank_server: FakeBank) -> Iterator[FakeBank]:
    """The bank, without faults and with an empty journal."""
    bank_server.reset()
    yield bank_server
    bank_server.reset()


@pytest.fixture(scope="session")
def notifier_server() -> Iterator[FakeNotifier]:
    """The sender of messages."""
    with notifier.serve() as served:
        yield served


@pytest.fixture
def fake_notifier(notifier_server: FakeNotifier) -> Iterator[FakeNotifier]:
    """The sender of messages, with nothing sent."""
    notifier_server.reset()
    yield notifier_server
    notifier_server.reset()


@pytest.fixture(scope="session")
def names() -> Iterator[Names]:
    """The name server."""
    with names_.serve() as served:
        yield served


@pytest.fixture(scope="session")
def receiver_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A merchant's server."""
    with receiver.serve(tmp_path_factory.mktemp("receiver")) as served:
        yield served


@pytest.fixture(scope="session")
def environment(
    database_url: str,
    psp_server: FakePsp,
    fx_server: FakeFx,
    bank_server: FakeBank,
    notifier_server: FakeNotifier,
    receiver_server: Receiver,
    names: Names,
) -> dict[str, str]:
    """What the service is configured with: short times, and a breaker that stays out of the way."""
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "DATABASE_URL": database_url,
        "ADMIN_TOKEN": ADMIN_TOKEN,
        "JWT_PRIVATE_KEY": key.decode().replace("\n", "\\n"),
        "PUBLIC_URL": "https://payments.test",
        "PSP_URL": psp_server.url,
        "PSP_API_KEY": "key-for-tests",
        "PSP_WEBHOOK_SECRET": SECRETS["psp"],
        "FX_URL": fx_server.url,
        "FX_API_KEY": "key-for-tests-too",
        "BANK_URL": bank_server.url,
        "BANK_API_KEY": "key-of-the-bank-for-tests",
        "BANK_WEBHOOK_SECRET": SECRETS["bank"],
        "NOTIFIER_URL": notifier_server.url,
        "NOTIFIER_API_KEY": "key-of-the-notifier-for-tests",
        "DNS_SERVER": names.server,
        "WEBHOOK_CA_FILE": str(receiver_server.ca_file),
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "PAYOUT_DAILY_LIMIT": "20000",
        "PSP_DEADLINE_SECONDS": "0.6",
        "PSP_MAX_ATTEMPTS": "2",
        "CLAIM_LEASE_SECONDS": "0.6",
        "BREAKER_FAILURES": "1000",
        "RECONCILE_INTERVAL_SECONDS": "0.05",
        "SETTLEMENT_AFTER_SECONDS": "0",
        "AUTH_LOCKOUT_SECONDS": "1",
        "LOG_LEVEL": "info",
    }


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    """The same, read."""
    return Settings.from_environment(environment)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def replicas(settings: Settings) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two replicas of the service on one database."""
    apps = [create_app(settings) for _ in range(2)]
    clients = [
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://payments", timeout=30
        )
        for app in apps
    ]
    yield clients
    for client, app in zip(clients, apps, strict=True):
        await client.aclose()
        await app.state.context.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context(settings: Settings) -> AsyncIterator[Context]:
    """The parts of the service, for tests of what is behind HTTP."""
    app = create_app(settings)
    yield app.state.context
    await app.state.context.close()


@pytest.fixture
def http(replicas: list[httpx.AsyncClient]) -> httpx.AsyncClient:
    """The first replica."""
    return replicas[0]


@pytest.fixture
def admin(http: httpx.AsyncClient) -> Caller:
    """The administrator."""
    return Caller(http, ADMIN_TOKEN)


@pytest_asyncio.fixture(loop_scope="session")
async def merchant(http: httpx.AsyncClient) -> Merchant:
    """A merchant of this test's own."""
    return await new_merchant(http)


@pytest_asyncio.fixture(loop_scope="session")
async def other(http: httpx.AsyncClient) -> Merchant:
    """Another merchant."""
    return await new_merchant(http)


@pytest.fixture
def day() -> str:
    """A day long over that is nobody else's."""
    return new_day()


@pytest_asyncio.fixture(loop_scope="session")
async def till(context: Context, merchant: Merchant, fake_psp: FakePsp) -> AsyncIterator[Till]:
    """A till, and no settlements; in the end what it moved is of today again."""
    async with context.database.unit_of_work() as uow:
        await uow.session.execute(text("TRUNCATE settlements CASCADE"))
    used = Till(context, merchant, fake_psp)
    yield used
    now = datetime.now(UTC)
    await move_in_time(context, sorted(used.moved), now, now)
