"""The page of a review, on a pull request of 2,000 changed lines, in a browser that runs already.

Seconds from the command until the page can be used, and milliseconds from a key until what it does
has been drawn; a save ends on the disk. What the protocol takes that drives the browser is in it.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness.loop import run
from tests.harness.review.browser import CHROMIUM, CTRL, SHIFT, Tab, browsing
from tests.harness.review.kits import large
from tests.harness.review.running import running

#: How often each is measured, after once that is not.
STARTS, ACTIONS = 7, 15

#: Seconds until the page can be used, and milliseconds that an action may take.
USABLE, ANSWERED = 1.0, 100.0

#: Is kept once a condition holds and has been drawn.
_DRAWN = """new Promise((done) => {
  const look = () => (CONDITION) ? requestAnimationFrame(() => setTimeout(done)) : setTimeout(look);
  look();
})"""

#: Each action: what it is called, its keys, and what is there when it is done.
_ROW = "document.activeElement.matches('tr.line')"
_FORM = "document.querySelector('form.editor')"
_SAVED = f"!{_FORM} && document.body.dataset.status === 'saved'"
_ACTIONS = (
    ("the next change", "j", 0, _ROW),
    ("a line on, as a range", "ArrowDown", SHIFT, _ROW),
    ("a comment is begun", "c", 0, _FORM),
    ("a key is written", "x", 0, f"{_FORM}.elements.why.value"),
    ("it is closed, and on the disk", "Enter", CTRL, _SAVED),
    ("the next comment", "n", 0, "document.activeElement.matches('article')"),
    ("side by side", "s", 0, "document.body.dataset.view === 'split'"),
    ("unified", "u", 0, "document.body.dataset.view === 'unified'"),
)


async def answered(tab: Tab, key: str, modifiers: int, condition: str) -> float:
    """Milliseconds from a key until what it does is seen."""
    began = time.perf_counter()
    await tab.press(key, modifiers=modifiers)
    await tab.value(_DRAWN.replace("CONDITION", condition))
    return (time.perf_counter() - began) * 1000


async def main() -> int:
    """Status 1 where something takes longer than it may."""
    seconds = list[float]()
    times: dict[str, list[float]] = {what: [] for what, *_ in _ACTIONS}
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        kit = large(Path(name) / "kit")
        async with browsing() as browser:
            tab = await browser.tab()
            await tab.look(width=1440)
            for _ in range(STARTS + 1):
                began = time.perf_counter()
                with running(kit) as served:
                    await tab.open(served.entrance)
                    seconds.append(time.perf_counter() - began)
            with running(kit) as served:
                await tab.open(served.entrance)
                await tab.until("document.body.dataset.prepared === 'true'")
                for _ in range(ACTIONS + 1):
                    for what, key, modifiers, condition in _ACTIONS:
                        times[what].append(await answered(tab, key, modifiers, condition))
    median, most = statistics.median(seconds[1:]), max(seconds[1:])
    print(f"Usable after {median:.2f} s, at most {most:.2f} s ({USABLE:g} s wanted).")
    print(f"\n{'action':32} {'median':>8} {'most':>8}  ({ANSWERED:g} ms wanted)")
    for what, each in times.items():
        print(f"{what:32} {statistics.median(each[1:]):8.0f} {max(each[1:]):8.0f}")
    medians = [statistics.median(each[1:]) for each in times.values()]
    return int(median > USABLE or max(medians) > ANSWERED)


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("There is no chromium here to show the page.")
    sys.exit(run(main()))
