"""The specification: what ``assay explore`` is told of a service, in TOML.

What it means, key by key, is in ``docs/explore.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.explore.placeholders import names

#: Fewest and most requests that are explored at once: of more there are too many orders.
LEAST, MOST = 2, 4

#: What is known before anything is captured: the run's number, and a word that no run had before.
GIVEN = ("n", "unique")

#: What the service is told of its database.
DATABASE = (
    "database_url",
    "database_host",
    "database_port",
    "database_name",
    "database_user",
    "database_password",
)

#: Answers after which a request is sent again: it lost a race, or came too early.
AGAIN = (409, 423, 429, 503)

_REQUEST = r"^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[!-~]*$"

Word = Annotated[str, Field(min_length=1, max_length=4096)]
Status = Annotated[int, Field(ge=100, le=599)]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(_Table):
    """What is sent; ``request`` is method and path, ``json`` or ``body`` its content."""

    request: Annotated[str | None, Field(pattern=_REQUEST)] = None
    json_: Any = Field(default=None, alias="json")
    body: str | None = None
    headers: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if self.json_ is not None and self.body is not None:
            raise ValueError("takes json or body, not both")
        if self.request is None and (self.json_ is not None or self.body or self.headers):
            raise ValueError('needs a request for json, body or headers, as "POST /accounts"')
        return self

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return (self.request or "").partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with placeholders."""
        return (self.request or "").partition(" ")[2]


class Ask(Request):
    """A request, or SQL that is sent to the database past the service."""

    sql: Annotated[str | None, Field(min_length=1)] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.request is None) == (self.sql is None):
            raise ValueError('takes either a request, as "GET /accounts/{account}", or sql')
        return self


class Prepare(Ask):
    """A step towards a fresh state; ``capture`` names values of its answer.

    Of a request's, by members of its JSON (``data.0.id``); of SQL, by columns of the first row.
    """

    status: Status | None = None
    capture: dict[Name, Word] = {}


class Concurrent(Request):
    """A request that runs at once with the others, so many times.

    ``retry`` are the statuses after which it is sent again, once all are answered.
    """

    request: Annotated[str, Field(pattern=_REQUEST)]
    count: Annotated[int, Field(ge=1, le=MOST)] = 1
    retry: tuple[Status, ...] = AGAIN


class Invariant(Ask):
    """What must hold after any run.

    ``expect`` is the only value, or the rows, that SQL gives; of a request's answer the JSON, of
    which an object need not be all.
    """

    name: Word | None = None
    status: Status | None = None
    expect: Any = True

    @model_validator(mode="after")
    def _something_to_expect(self) -> Self:
        if self.request is not None and not {"status", "expect"} & self.model_fields_set:
            raise ValueError("needs a status, or an expect with JSON, for its request")
        if self.sql is not None and self.status is not None:
            raise ValueError("takes a status only with a request")
        return self


class View(Ask):
    """What else is compared with what the requests come to one after the other."""


class Running(_Table):
    """A replica that runs already: its base URL, and the port where it looks for its database."""

    url: Word
    proxy_port: Port

    @field_validator("url")
    @classmethod
    def _plain_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError('must be a base URL on this machine, as "http://127.0.0.1:8001"')
        return value.rstrip("/")


class Service(_Table):
    """How the service is started, or where it runs.

    ``{port}`` in ``start`` stands for the port to listen on at 127.0.0.1; ``folder`` is relative to
    the specification. Without ``ready`` a replica is ready once it listens.
    """

    start: Annotated[tuple[Word, ...], Field(max_length=256)] = ()
    running: tuple[Running, ...] = ()
    folder: str = "."
    ready: Annotated[str, Field(pattern=r"^(/[!-~]*)?$")] = ""
    replicas: Annotated[int, Field(ge=LEAST, le=8)] | None = None
    environment: dict[str, str] = {"DATABASE_URL": "{database_url}"}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.start) == bool(self.running):
            raise ValueError(
                'takes either start, as ["python", "app.py", "{port}"], or running, as '
                '[{url = "http://127.0.0.1:8001", proxy_port = 6001}, ...]'
            )
        given = {*names(list(self.start)), *names(list(self.environment.values()))}
        if self.start and "port" not in given:
            raise ValueError("must have {port} where the service takes its port")
        if self.start and not given & {"database_url", "database_port"}:
            raise ValueError(
                "must say where the service takes its database's address, as "
                'environment = {DATABASE_URL = "{database_url}"}'
            )
        if wrong := sorted(given - {"port", *DATABASE}):
            raise ValueError(f"knows no {{{wrong[0]}}}: there are {{port}} and {_listed(DATABASE)}")
        return self


class Database(_Table):
    """The database: an empty one of our own, or the one at ``url``, which is used as it stands.

    ``schema`` is a file of SQL, ``migrate`` a command, run once before the service is started.
    """

    url: Word | None = None
    schema_: str | None = Field(default=None, alias="schema")
    migrate: Annotated[tuple[Word, ...], Field(max_length=256)] = ()

    @field_validator("url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value and not (
            parts.scheme in ("postgres", "postgresql") and parts.hostname and parts.username
        ):
            raise ValueError("must read postgresql://user:password@host:port/database")
        return value

    @field_validator("migrate")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := sorted(set(names(list(value))) - set(DATABASE)):
            raise ValueError(f"knows no {{{wrong[0]}}}: there are {_listed(DATABASE)}")
        return value


class Spec(_Table):
    """The whole file; members of answers named in ``ignore`` are compared nowhere."""

    title: Word
    service: Service
    database: Database = Database()
    prepare: tuple[Prepare, ...] = ()
    concurrent: Annotated[tuple[Concurrent, ...], Field(min_length=1)]
    invariant: tuple[Invariant, ...] = ()
    view: tuple[View, ...] = ()
    ignore: tuple[Word, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        count = len(self.requests)
        if not LEAST <= count <= MOST:
            raise ValueError(
                f"concurrent: {count} of them are explored at once; make it {LEAST} to {MOST}, by"
                " another [[concurrent]] or by its count"
            )
        there = len(self.service.running) or self.service.replicas or count
        if there < count:
            key = "running" if self.service.running else "replicas"
            raise ValueError(
                f"service.{key}: {count} requests at once take a replica each; there are {there}"
            )
        if self.service.running and self.database.url is None:
            raise ValueError(
                "database.url: is missing: the database behind the proxy, for a service that runs"
            )
        if self.service.running and (self.database.schema_ or self.database.migrate):
            raise ValueError("database: takes no schema or migrate for a service that runs already")
        self._known()
        return self

    def _known(self) -> None:
        """Every placeholder is known where it is used."""
        known = set(GIVEN)
        for where, ask in self._asks():
            used = [ask.request, ask.json_, ask.body, ask.headers]
            used += [getattr(ask, key, None) for key in ("sql", "expect")]
            for name in names(used):
                if name not in known:
                    raise ValueError(
                        f"{where}: knows no {{{name}}} here: capture it in a [[prepare]] before, or"
                        f" double the braces; there are {_listed(known)}"
                    )
            known |= set(getattr(ask, "capture", ()))

    def _asks(self) -> Iterator[tuple[str, Request]]:
        for kind in ("prepare", "concurrent", "invariant", "view"):
            for number, ask in enumerate(getattr(self, kind), 1):
                yield f"{kind} {number}", ask

    @property
    def requests(self) -> tuple[Concurrent, ...]:
        """The concurrent requests, each as often as it is sent."""
        return tuple(one for one in self.concurrent for _ in range(one.count))

    @property
    def replicas(self) -> int:
        """How many replicas there are to be."""
        return len(self.service.running) or self.service.replicas or len(self.requests)


def _listed(found: Any) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(found))
