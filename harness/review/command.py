"""``assay review``: a pull request to judge, in the browser, or as it was judged on GitHub."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from checks.reviewed import COMMENTS, ReviewError
from harness.errors import DONE, UsageError
from harness.review.request import REVIEW, Request, read_request
from harness.review.store import Store
from reports.visible import visible
from reports.words import plural

#: Characters of a title that are printed.
LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    ``imported`` is a file of GitHub's API, which is put into the review instead of showing the
    page; ``set_aside`` moves a review away that cannot be read; ``open_browser`` opens the page.
    """

    folder: Path
    port: int | None = None
    imported: Path | None = None
    set_aside: bool = False
    open_browser: bool = True


def review(order: Order) -> int:
    """Shows the page until Ctrl-C, or imports; raises ``UsageError``."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    request = read_request(order.folder)
    with Store.opened(order.folder, request.kit) as store:
        _make_readable(store, order, console)
        if order.imported is not None:
            return _import(store, request, order.imported, console)
        return _show(store, request, order, console)


def _make_readable(store: Store, order: Order, console: Console) -> None:
    """Sees to it that there is a review that can be read, or none; never by overwriting one."""
    try:
        store.state()
    except ReviewError as failure:
        if not order.set_aside:
            raise UsageError(
                f"{order.folder / REVIEW}: {failure} Mend it, or move it away with --set-aside."
            ) from failure
        console.print(f"{REVIEW} is now {store.set_aside()}; a new review begins.")


def _show(store: Store, request: Request, order: Order, console: Console) -> int:
    from harness.loop import run
    from harness.review.app import create_app
    from harness.review.guard import ENTRANCE, Keys
    from harness.review.page import Page
    from harness.review.serving import browser, in_background, listening, serve

    shown_by = browser() if order.open_browser else None
    with listening(order.port) as where:
        port = where.getsockname()[1]
        keys, page = Keys(), Page(request, order.folder)
        entrance = f"http://127.0.0.1:{port}{ENTRANCE}?key="
        app = create_app(page, store, keys, port)

        def tell() -> None:
            in_background(page.prepare)
            console.print(visible(request.title, LONGEST_TITLE))
            console.print(f"Your review: {entrance}{keys.key}")
            console.print(f"It is saved in {order.folder / REVIEW} as you write. Ctrl-C ends this.")
            if shown_by is not None:
                in_background(partial(shown_by, f"{entrance}{keys.ticket}"))

        run(serve(app, where, tell))
    return DONE


def _import(store: Store, request: Request, file: Path, console: Console) -> int:
    from harness.review.github import put_into, read_github

    try:
        data = file.read_bytes()
    except OSError as failure:
        raise UsageError(f"{file} cannot be read: {failure.strerror}.") from failure
    written = read_github(data, request, str(file))
    before = store.state().review
    after = put_into(before, written)
    if len(after.comments) > COMMENTS:
        raise UsageError(f"That makes more than {COMMENTS:,} comments, and a review holds no more.")
    if after != before:
        store.write(after)
    new = after.comments[len(before.comments) :]
    known = len(written.comments) - len(new)
    said = f"{plural(len(new), 'comment')} taken in"
    console.print(f"{said}, {known} were there already." if known else f"{said}.")
    for sentence in written.told:
        console.print(sentence)
    astray = sum(not request.stands(one) for one in new)
    if astray:
        console.print(f"{plural(astray, 'comment')} on lines that this pull request does not show.")
    if written.decision not in (None, after.decision):
        console.print(f"The review already said {after.decision!r}, and still does.")
    if written.summary not in after.summary:
        console.print("The summary found no room beside the one that is there.")
    return DONE
