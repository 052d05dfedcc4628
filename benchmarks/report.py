"""How quickly a report of thousands of cases is written, opens in Chromium and filters, and its size.

python benchmarks/report.py [CASES] [CANDIDATES]     (2,000 and 4)

The page is the real one, in a real browser: "open" is from the navigation to the end of the load event, when
the first answers are shown; everything else from the event to the first frame after the list has changed.
"Work" is the processor time of the page's main thread, which other programs don't slow.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

from ftrun.report import write_report  # noqa: E402
from report.example import facts_of_many  # noqa: E402 - the path is set above
from support.browser import Browser  # noqa: E402

# what a person does, and the code that does it in the page
ACTIONS = {
    "show what is broken": "choose('broken')",
    "show what failed": "choose('failed')",
    "show all": "choose('all')",
    "search a word (first)": "fill('words', 'delivery')",
    "search a phrase": "fill('words', 'invoice twice')",
    "search Japanese": "fill('words', '返品')",
    "search nothing": "fill('words', '')",
    "filter by tag": "fill('tag', 'billing')",
    "order by the largest loss": "fill('order', 'loss')",
    "next page": "document.querySelector('button[data-step=\"1\"]').click()",
}
HELPERS = """
const form = document.querySelector('#answer-browser form');
const choose = (value) => {
  form.querySelector(`input[name="show"][value="${value}"]`).checked = true;
  form.dispatchEvent(new Event('input', { bubbles: true }));
};
const fill = (name, value) => {
  form.elements[name].value = value;
  form.dispatchEvent(new Event('input', { bubbles: true }));
};
const timed = async (action) => {
  const start = performance.now();
  action();
  document.body.getBoundingClientRect();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
};
"""
ROUNDS = 3


Time = tuple[float, float]  # milliseconds by the clock, and of the page's own processor time


def main(cases: int = 2000, candidates: int = 4) -> None:
    """Print a table of times in milliseconds."""
    facts = facts_of_many(cases, candidates)
    with tempfile.TemporaryDirectory() as folder:
        start, started = time.perf_counter(), time.process_time()
        page = write_report(facts, Path(folder))
        written, worked = time.perf_counter() - start, time.process_time() - started
        size, markdown = page.stat().st_size, (Path(folder) / "report.md").stat().st_size
        print(f"{cases:,} cases, {candidates} candidates: written in {written:.1f} s (work {worked:.1f} s)")
        print(f"report.html {size / 1e6:.1f} MB, report.md {markdown / 1e3:.0f} kB")
        rounds = [_used(page) for _ in range(ROUNDS)]
    print(f"{'median, ms':<28} {'clock':>7} {'worst':>7} {'work':>7}")
    for name in rounds[0]:
        clock, work = zip(*(one[name] for one in rounds), strict=True)
        print(f"{name:<28} {statistics.median(clock):7.0f} {max(clock):7.0f} {statistics.median(work):7.0f}")


def _used(page: Path) -> dict[str, Time]:
    """Open the page in a new browser and do everything once."""
    with Browser("about:blank") as browser:
        browser.send("Performance.enable", timeDomain="threadTicks")
        before = _work(browser)
        browser.send("Page.navigate", url=page.as_uri())
        browser.wait_for("document.readyState === 'complete' && !!document.querySelector('.list article')")
        opened = float(browser.value("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        found: dict[str, Time] = {"open": (opened, _work(browser) - before)}
        browser.value(HELPERS.replace("const ", "var "))
        for name, action in ACTIONS.items():
            before = _work(browser)
            found[name] = (_timed(browser, action), _work(browser) - before)
    return found


def _work(browser: Browser) -> float:
    """Return the processor time of the page's main thread so far, in ms: other programs don't slow it."""
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def _timed(browser: Browser, action: str) -> float:
    script = f"timed(() => {action})"
    result = browser.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
    return float(result["result"]["value"])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
