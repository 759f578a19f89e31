"""A real browser, driven over the DevTools protocol: Chromium without a window."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--remote-debugging-port=0",
)

#: Seconds until something that is waited for counts as not coming.
PATIENCE = 60.0

#: Modifier keys, as the protocol counts them.
CTRL, SHIFT = 2, 8

#: The middle of an element in the window.
_MIDDLE = """(() => {
  const { x, y, width, height } = document.querySelector(PLACE).getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
})()"""

#: Keys that write nothing, and their codes; others write themselves.
_CODES = {
    "Enter": 13, "Escape": 27, "Delete": 46, "Tab": 9,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip


class Tab:
    """One page of the browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    async def tell(self, method: str, **given: Any) -> Any:
        """A command of the protocol."""
        return await self._browser.tell(method, self._session, **given)

    async def open(self, address: str) -> None:
        """Goes there, and waits until the review's page is alive."""
        await self.tell("Page.navigate", url=address)
        await self.until("document.body?.dataset.ready === 'true'")

    async def value(self, expression: str) -> Any:
        """What an expression, or a promise of it, comes to."""
        found = await self.tell(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Waits for an expression to be true."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    if await self.value(f"Boolean({expression})"):
                        return
                except AssertionError:
                    pass  # the page is being loaded
                await asyncio.sleep(0.02)

    async def saved(self) -> None:
        """Waits until all that was written is on the disk."""
        await self.until("document.body.dataset.status === 'saved'")

    async def press(self, *keys: str, modifiers: int = 0) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            text = {} if key in _CODES or modifiers & CTRL else {"text": key}
            given = {"key": key, "modifiers": modifiers, **text}
            if key in _CODES:
                given |= {"code": key, "windowsVirtualKeyCode": _CODES[key]}
            await self.tell("Input.dispatchKeyEvent", type="keyDown", **given)
            await self.tell("Input.dispatchKeyEvent", type="keyUp", **given)

    async def write(self, text: str) -> None:
        """Writes into what has the focus."""
        await self.tell("Input.insertText", text=text)

    async def pointer(self, *places: str, shift: bool = False) -> None:
        """Presses the button on the first element, goes over the rest, and lets go on the last."""
        await self.value(
            f"document.querySelector({places[0]!r}).scrollIntoView({{block: 'center'}})"
        )
        points = [await self.value(_MIDDLE.replace("PLACE", repr(place))) for place in places]
        given = {"button": "left", "buttons": 1, "clickCount": 1, "modifiers": SHIFT * shift}
        await self.tell("Input.dispatchMouseEvent", type="mousePressed", **points[0], **given)
        for point in points[1:]:
            await self.tell("Input.dispatchMouseEvent", type="mouseMoved", **point, **given)
        await self.tell("Input.dispatchMouseEvent", type="mouseReleased", **points[-1], **given)

    async def look(self, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """How large the window is, and whether light or dark is preferred."""
        await self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await self.tell("Emulation.setEmulatedMedia", features=[feature])

    async def picture(self, file: Path) -> None:
        """What is seen, as a PNG file."""
        found = await self.tell("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(found["data"]))


class Browser:
    """A browser that runs."""

    def __init__(self, process: asyncio.subprocess.Process, socket: Any) -> None:
        self.process = process
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())
        #: What pages wrote on their consoles, and exceptions that nobody caught.
        self.complaints: list[str] = []

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[str]:
        """Somebody new, with cookies and a storage of their own; their pages close at the end."""
        found = await self.tell("Target.createBrowserContext")
        yield str(found["browserContextId"])
        await self.tell("Target.disposeBrowserContext", **found)

    async def tab(self, visitor: str | None = None) -> Tab:
        """A new page, of a visitor."""
        whose = {"browserContextId": visitor} if visitor else {}
        target = await self.tell("Target.createTarget", url="about:blank", **whose)
        attached = await self.tell(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        found = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await found.tell(f"{domain}.enable")
        return found

    async def tell(self, method: str, session: str = "", **given: Any) -> Any:
        """A command of the protocol, and its answer."""
        number = next(self._numbers)
        coming = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": given}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        async with asyncio.timeout(PATIENCE):
            answer = await coming
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            said = message.json()
            if said.get("id") in self._waiting:
                self._waiting.pop(said["id"]).set_result(said)
            elif said.get("method") == "Log.entryAdded":
                self.complaints.append(str(said["params"]["entry"]))
            elif said.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"]))

    async def close(self) -> None:
        """Kills it, and all that it has started, as a crash would."""
        self._reader.cancel()
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


@asynccontextmanager
async def browsing(profile: Path | None = None) -> AsyncIterator[Browser]:
    """A browser with a profile: a fresh one, if none is given."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as fresh:
        folder = profile or Path(fresh)
        (folder / "DevToolsActivePort").unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={folder}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            address = await _address(folder)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                browser = Browser(process, socket)
                yield browser
                await browser.close()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _address(folder: Path) -> str:
    """Where the browser listens, once it does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                port, path = (folder / "DevToolsActivePort").read_text().split()
            except (FileNotFoundError, ValueError):
                await asyncio.sleep(0.02)
            else:
                return f"ws://127.0.0.1:{port}{path}"
