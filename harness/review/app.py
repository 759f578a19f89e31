"""The page's HTTP interface: the page itself, its parts, and the review to read and to save."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Cookie, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from checks.evidence import Model
from checks.reviewed import Review, ReviewError
from harness.review.guard import Guard, Keys
from harness.review.merging import Save, TooMuchError
from harness.review.page import LOOK, Page
from harness.review.rows import View
from harness.review.store import Store

_STATIC = Path(__file__).with_name("static")

#: The files that the page loads, and nothing else that lies beside them.
FILES = {path.name: path for path in (*_STATIC.iterdir(), LOOK / "style.css")}

#: Lines that one request may ask for.
MOST_LINES = 100_000


class Answer(Model):
    """The review's revision; and the review, where it is not what the page must think it is.

    ``renamed`` and ``told`` are those of ``harness.review.merging.Merged``.
    """

    revision: str
    review: Review | None
    renamed: dict[str, str] = {}
    told: tuple[str, ...] = ()


def create_app(page: Page, store: Store, keys: Keys, port: int) -> FastAPI:
    """The application, for one kit and one run."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, keys=keys, port=port)
    _add_pages(app, page, store)
    _add_review(app, store)
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(HTTPException)(_refused)
    return app


def _add_pages(app: FastAPI, page: Page, store: Store) -> None:
    @app.get("/")
    def whole(
        view: View | None = None,
        kept: Annotated[str, Cookie(alias="assay-view")] = "unified",
    ) -> StreamingResponse:
        try:
            review = store.state().review
        except ReviewError:
            review = None
        found = view or ("split" if kept == "split" else "unified")
        return StreamingResponse(page.whole(found, review), media_type="text/html")

    @app.get("/difference")
    def difference(view: View) -> StreamingResponse:
        return StreamingResponse(page.difference(view), media_type="text/html")

    @app.get("/files/{number}/lines")
    def lines(
        number: int,
        view: View,
        first: Annotated[int, Query(ge=1)],
        last: Annotated[int, Query(ge=1)],
    ) -> HTMLResponse:
        try:
            return HTMLResponse(page.lines(number, view, first, min(last, first + MOST_LINES)))
        except LookupError:
            raise HTTPException(404, "There is no such file.") from None

    @app.get("/files/{number}/colours")
    def colours(number: int) -> JSONResponse:
        try:
            found = page.coloured(number)
        except LookupError:
            raise HTTPException(404, "There is no such file.") from None
        return JSONResponse({"old": found.old, "new": found.new})

    @app.get("/static/{name}")
    def static(name: str) -> FileResponse:
        if name not in FILES:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(FILES[name])


def _add_review(app: FastAPI, store: Store) -> None:
    @app.get("/review")
    def read(since: str = "") -> Response:
        try:
            state = store.state()
        except ReviewError as failure:
            return _problem(409, str(failure))
        review = None if since == state.revision else state.review
        return _answer(Answer(revision=state.revision, review=review))

    @app.post("/review")
    def save(given: Save) -> Response:
        try:
            before, state, merged = store.save(given)
        except ReviewError as failure:
            return _problem(409, f"{failure} Nothing was saved over it; mend it, or move it away.")
        except TooMuchError as failure:
            return _problem(413, str(failure))
        except OSError as failure:
            return _problem(507, f"review.json cannot be written: {failure.strerror or failure}.")
        known = given.revision == before.revision and merged.as_sent
        return _answer(
            Answer(
                revision=state.revision,
                review=None if known else state.review,
                renamed=merged.renamed,
                told=merged.told,
            )
        )


def _answer(answer: Answer) -> Response:
    return Response(answer.to_json(), media_type="application/json")


def _problem(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"problem": sentence}, status)


async def _refused(_: Request, failure: Exception) -> JSONResponse:
    """What has no place here, or is no JSON at all."""
    if not isinstance(failure, HTTPException):
        raise failure
    return _problem(failure.status_code, str(failure.detail))


async def _not_understood(_: Request, failure: Exception) -> JSONResponse:
    """A request that is not what it should be: which member, and why."""
    problem = failure.errors()[0] if isinstance(failure, RequestValidationError) else {}
    where = ".".join(str(part) for part in problem.get("loc", ()))
    return _problem(422, f"This is not understood: {where}: {problem.get('msg', '')}.")
