"""The page in a real browser, with keys and pointer, and what is on the disk afterwards."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from checks.reviewed import COMMENTS, Review
from reports.visible import visible
from tests.harness.review.browser import CHROMIUM, CTRL, SHIFT, Browser, Tab, browsing
from tests.harness.review.running import Running, change, comment, running
from tests.reports.pages import HOSTILE

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="There is no chromium here to show the page."),
]

FOCUS = "document.activeElement"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as found:
        yield found


Visit = Callable[[Running], Awaitable[Tab]]


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    """A page of somebody new."""
    async with browser.visitor() as visitor:
        yield await browser.tab(visitor)


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Opens the page of a server for one visitor; in the end nothing has gone wrong in it."""
    browser.complaints.clear()
    async with browser.visitor() as visitor:

        async def visited(served: Running) -> Tab:
            tab = await browser.tab(visitor)
            await tab.look(width=1280)
            await tab.open(served.entrance)
            return tab

        yield visited
        assert not browser.complaints


async def kept(tab: Tab, served: Running) -> Review:
    """What is on the disk once all is saved."""
    await tab.saved()
    return served.kept()


async def choose(tab: Tab, name: str, value: str) -> None:
    """Chooses in the open form."""
    await tab.value(
        f"(() => {{ const one = document.querySelector('form.editor').elements.{name};"
        f" one.value = {value!r}; one.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"
    )


async def test_a_review_is_written_with_keys_alone(served: Running, visit: Visit) -> None:
    tab = await visit(served)
    await tab.press("j", "j")
    assert await tab.value(f"{FOCUS}.dataset.new") == "5"
    await tab.press("j")
    assert "json.loads" in await tab.value(f"{FOCUS}.textContent")
    await tab.press("k", "ArrowDown")
    await tab.press("ArrowDown", modifiers=SHIFT)
    await tab.press("c")
    assert await tab.value(f"{FOCUS}.name") == "why"
    await tab.write("two may read it at once; j k n p ? are letters here")
    await tab.press("Tab")
    await tab.write("lock the row")
    await choose(tab, "severity", "critical")
    await choose(tab, "category", "races")
    await tab.press("Enter", modifiers=CTRL)
    assert await tab.value(f"{FOCUS}.matches('tr.line')")
    (one,) = (await kept(tab, served)).comments
    assert (one.path, one.side, one.first, one.last) == ("payments/transfers.py", "new", 6, 7)
    assert (one.severity, one.category, one.mend) == ("critical", "races", "lock the row")
    assert one.why.endswith("are letters here")
    await tab.press("d")
    await tab.press("ArrowDown", "ArrowDown")
    assert await tab.value(f"{FOCUS}.value") == "request changes"
    await tab.press("Tab")
    await tab.write("Not like this.")
    review = await kept(tab, served)
    assert (review.decision, review.summary) == ("request changes", "Not like this.")
    await tab.press("Escape", "n")
    assert await tab.value(f"{FOCUS}.matches('article.comment')")
    await tab.press("e")
    assert await tab.value(f"{FOCUS}.value") == one.why
    await tab.press("Escape")
    await tab.press("p", "Delete")
    assert (await kept(tab, served)).comments == ()
    await tab.press("?")
    assert await tab.value("document.getElementById('keys').open")
    await tab.press("Escape")
    assert not await tab.value("document.getElementById('keys').open")


async def test_lines_are_picked_with_the_pointer(served: Running, visit: Visit) -> None:
    tab = await visit(served)
    row = "#file-1 tr[data-new='{}'] .no.new"
    await tab.pointer(row.format(5), row.format(6), row.format(7))
    await tab.until("document.querySelector('form.editor')")
    await tab.write("a range")
    await tab.press("Escape")
    await tab.pointer("#file-1 tr[data-old='5'] .no.old")
    await tab.write("a line that is gone")
    await tab.pointer("form.editor .done")
    await tab.pointer(row.format(1))
    await tab.press("Escape")
    await tab.pointer(row.format(4), shift=True)
    await tab.press("Escape")
    spans = [(c.side, c.first, c.last) for c in (await kept(tab, served)).comments]
    assert spans == [("new", 5, 7), ("old", 5, 5)]


async def test_both_views_show_the_same_comments(served: Running, visit: Visit) -> None:
    with served.client() as client:
        body = {"revision": "none", "comments": [change(comment("a", side="old"))]}
        client.post("/review", json=body)
    tab = await visit(served)
    under = "document.querySelector('#file-1 article.comment').closest('tr').previousElementSibling"
    assert await tab.value(f"{under}.dataset.old") == "5"
    await tab.press("s")
    await tab.until("document.querySelector('table.split')")
    assert await tab.value(f"{under}.dataset.old") == "5"
    assert await tab.value("document.querySelectorAll('article.comment').length") == 1
    await tab.press("j", "j", "ArrowLeft", "c")
    await tab.write("of the old side")
    await tab.press("Enter", modifiers=CTRL)
    added = (await kept(tab, served)).comments[1]
    assert (added.side, added.first) == ("old", 5)
    await tab.open(f"{served.base}/")
    assert await tab.value("document.querySelector('table.split') !== null")
    await tab.press("u")
    await tab.until("!document.querySelector('table.split')")
    assert await tab.value("document.querySelectorAll('article.comment').length") == 2


async def test_a_deleted_comment_can_be_had_back(served: Running, visit: Visit) -> None:
    with served.client() as client:
        client.post("/review", json={"revision": "none", "comments": [change(comment("a"))]})
    tab = await visit(served)
    await tab.pointer("article.comment [data-act=delete]")
    assert (await kept(tab, served)).comments == ()
    await tab.pointer("#told button")
    assert [c.id for c in (await kept(tab, served)).comments] == ["a"]


async def test_an_empty_comment_is_none(served: Running, visit: Visit) -> None:
    tab = await visit(served)
    await tab.press("j", "c", "Escape")
    await tab.press("c")
    await tab.write("x")
    await tab.saved()
    await tab.value("document.querySelector('form.editor textarea').select()")
    await tab.press("Delete")
    await tab.press("Escape")
    assert (await kept(tab, served)).comments == ()


async def test_more_context_is_shown_on_demand(served: Running, visit: Visit) -> None:
    with served.client() as client:
        hidden = comment("a", first=18, last=18)
        client.post("/review", json={"revision": "none", "comments": [change(hidden)]})
    tab = await visit(served)
    before = "document.querySelector('article.comment').closest('tr').previousElementSibling"
    assert await tab.value(f"{before}.matches('.gap')")
    await tab.pointer("#file-1 [data-more=all]")
    await tab.until("document.querySelector('#file-1 tr[data-new=\"18\"]')")
    assert await tab.value(f"{before}.dataset.new") == "18"
    numbers = "[...document.querySelectorAll('#file-1 tr.line')].map((row) => row.dataset.new)"
    shown = [int(number) for number in await tab.value(numbers) if number]
    assert shown == sorted(shown)


async def test_the_range_of_a_comment_can_be_changed_in_its_form(
    served: Running, visit: Visit
) -> None:
    tab = await visit(served)
    await tab.press("j", "j", "c")
    await tab.write("why")
    await choose(tab, "last", "7")
    await choose(tab, "first", "900")
    await tab.press("Escape")
    (one,) = (await kept(tab, served)).comments
    assert (one.first, one.last) == (5, 7)


async def test_what_stands_nowhere_is_shown_and_kept(served: Running, visit: Visit) -> None:
    astray = comment("a", path="no/such.py"), comment("b", first=900, last=901)
    with served.client() as client:
        client.post("/review", json={"revision": "none", "comments": [change(c) for c in astray]})
    tab = await visit(served)
    assert await tab.value("document.querySelectorAll('#astray article').length") == 2
    await tab.pointer("#astray [data-act=edit]")
    await tab.write("more: ")
    await tab.press("Escape")
    one, other = (await kept(tab, served)).comments
    assert one.why.startswith("more: ") or one.why.endswith("more: ")
    assert (one.path, one.first, other.first) == ("no/such.py", 5, 900)


async def test_pages_take_in_what_the_other_wrote(served: Running, visit: Visit) -> None:
    one, other = await visit(served), await visit(served)
    await one.press("j", "c")
    await one.write("by one")
    await one.press("Escape")
    await one.saved()
    await other.value("dispatchEvent(new Event('focus'))")
    await other.until("document.querySelector('article.comment')?.textContent.includes('by one')")
    for tab, text in ((one, " and one"), (other, " and other")):
        await tab.pointer("article.comment [data-act=edit]")
        await tab.value("document.querySelector('form.editor').elements.why.select()")
        await tab.write(text)
        await tab.saved()
    review = await kept(other, served)
    assert {c.why for c in review.comments} == {" and one", " and other"}
    await other.until("document.querySelector('#told')?.textContent.includes('both stand')")
    await other.write(", still")
    texts = {c.why for c in (await kept(other, served)).comments}
    assert texts == {" and one", " and other, still"}


async def test_nothing_is_lost_when_the_server_is_killed(kit: Path, tab: Tab) -> None:
    with running(kit) as served:
        await tab.open(served.entrance)
        await tab.press("j", "c")
        await tab.write("before")
        await tab.saved()
        served.kill()
        await tab.write(", and after")
        await tab.until("document.body.dataset.status === 'failed'")
        assert "does not answer" in await tab.value("document.getElementById('saved').textContent")
        await tab.tell("Page.navigate", url="about:blank")
    with running(kit, "--port", str(served.port)) as again:
        assert again.kept().comments[0].why == "before"
        await tab.open(again.entrance)
        assert (await kept(tab, again)).comments[0].why == "before, and after"
        assert "taken up again" in await tab.value("document.getElementById('told').textContent")
        assert not await tab.value("localStorage.length")


async def test_a_page_goes_on_when_the_server_is_back(kit: Path, tab: Tab) -> None:
    with running(kit) as served:
        await tab.open(served.entrance)
        await tab.press("j", "c")
        await tab.write("one")
        await tab.saved()
        served.process.send_signal(signal.SIGSTOP)
        await tab.write(", two")
        await tab.until("document.body.dataset.status === 'saving'")
        served.process.send_signal(signal.SIGCONT)
        await tab.write(", three")
        assert (await kept(tab, served)).comments[0].why == "one, two, three"


async def test_nothing_is_lost_when_the_browser_is_killed(kit: Path, tmp_path: Path) -> None:
    with running(kit) as served:
        async with browsing(tmp_path / "profile") as browser:
            tab = await browser.tab()
            await tab.open(served.entrance)
            await tab.press("j", "c")
            for number in range(20):
                await tab.write(f"{number} ")
                await asyncio.sleep(0.05)
            await tab.saved()
            await browser.close()
        assert served.kept().comments[0].why == "".join(f"{number} " for number in range(20))


async def test_a_page_that_is_left_saves_what_was_just_written(
    served: Running, visit: Visit
) -> None:
    tab = await visit(served)
    await tab.press("j", "c")
    await tab.write("last words")
    await tab.tell("Page.navigate", url="about:blank")
    async with asyncio.timeout(20):
        while not served.file.exists():
            await asyncio.sleep(0.05)
    assert served.kept().comments[0].why == "last words"


async def test_hostile_text_is_shown_and_runs_nothing(served: Running, visit: Visit) -> None:
    texts = [text.encode("utf-8", "replace").decode()[:5_000] for text in HOSTILE]
    changes = [change(comment(f"c-{number}", why=text)) for number, text in enumerate(texts)]
    with served.client() as client:
        client.post("/review", json={"revision": "none", "comments": changes})
    tab = await visit(served)
    await tab.value("window.alert = () => { window.struck = true }")
    shown = await tab.value(
        "[...document.querySelectorAll('article.comment .why')].map((one) => one.textContent)"
    )
    assert shown == [visible(text) for text in texts]
    for _ in texts:
        await tab.press("n", "e", "Escape")
    assert not await tab.value("window.struck")
    assert [one.why for one in (await kept(tab, served)).comments] == texts


async def test_a_review_that_breaks_meanwhile_is_told(served: Running, tab: Tab) -> None:
    await tab.open(served.entrance)
    served.file.write_text("{")
    await tab.press("j", "c")
    await tab.write("mine")
    await tab.until("document.body.dataset.status === 'failed'")
    assert "cannot be read" in await tab.value("document.getElementById('saved').textContent")
    assert served.file.read_text() == "{"
    served.file.unlink()
    assert (await kept(tab, served)).comments[0].why == "mine"


async def test_ten_thousand_comments_can_be_worked_with(kit: Path, visit: Visit) -> None:
    made = [comment(f"c-{number}", first=1 + number % 30, last=30) for number in range(COMMENTS)]
    given: dict[str, Any] = {"schema": 1, "exercise": "judged", "seed": 3, "comments": made}
    (kit / "review.json").write_text(json.dumps(given))
    with running(kit) as served:
        tab = await visit(served)
        assert await tab.value("document.querySelectorAll('article.comment').length") == COMMENTS
        await tab.press("n", "e")
        await tab.write("changed: ")
        await tab.press("Escape")
        review = await kept(tab, served)
        assert len(review.comments) == COMMENTS
        assert sum("changed: " in one.why for one in review.comments) == 1


async def test_it_can_be_read_without_scripts(served: Running, tab: Tab) -> None:
    with served.client() as client:
        client.post("/review", json={"revision": "none", "comments": [change(comment("a"))]})
    await tab.tell("Emulation.setScriptExecutionDisabled", value=True)
    await tab.tell("Page.navigate", url=served.entrance)
    await tab.until("document.readyState === 'complete' && document.querySelector('#decision')")
    text = await tab.value("document.body.innerText")
    assert "To write needs JavaScript." in text
    assert "two requests read one balance" in text
    assert "Click a line" not in text
    await tab.tell("Page.navigate", url=f"{served.base}/?view=split")
    await tab.until("document.querySelector('table.split')")


async def test_everything_has_a_name_and_a_focus_that_is_seen(
    served: Running, visit: Visit
) -> None:
    tab = await visit(served)
    await tab.press("j", "c")
    nameless = await tab.value(
        "[...document.querySelectorAll('button, a[href], input, select, textarea, form.editor')]"
        ".filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length))"
        ".map((one) => one.outerHTML)"
    )
    assert nameless == []
    await tab.press("Escape")
    seen = set[str]()
    for _ in range(30):
        await tab.press("Tab")
        outline = await tab.value(f"getComputedStyle({FOCUS}).outlineStyle")
        where = await tab.value(f"{FOCUS}.outerHTML.slice(0, 80)")
        assert outline != "none" or "<body" in where, where
        seen.add(where)
    assert len(seen) > 8
