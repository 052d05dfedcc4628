"""How quickly a report of thousands of cases is written, opens in Chromium, filters and searches, and its size.

python benchmarks/report.py [CASES] [CANDIDATES]     (2,000 and 4)

The page is the real one, in a real browser: "open" is from the navigation to the first list of answers on the
screen, "filter" from the event to the next frame after the list has changed.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

from report.example import facts_of_many  # noqa: E402 - the path is set above
from support.browser import Browser  # noqa: E402

from ftrun.report import write_report  # noqa: E402

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


def main(cases: int = 2000, candidates: int = 4) -> None:
    """Print a table of times in milliseconds."""
    facts = facts_of_many(cases, candidates)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        page = write_report(facts, Path(folder))
        written = time.perf_counter() - start
        size, markdown = page.stat().st_size, (Path(folder) / "report.md").stat().st_size
        print(f"{cases:,} cases, {candidates} candidates: written in {written:.1f} s")
        print(f"report.html {size / 1e6:.1f} MB, report.md {markdown / 1e3:.0f} kB")
        opened, actions = zip(*(_opened(page) for _ in range(ROUNDS)), strict=True)
    print(f"{'open':<28} {statistics.median(opened):7.0f} ms (worst {max(opened):.0f})")
    for name in ACTIONS:
        times = [one[name] for one in actions]
        print(f"{name:<28} {statistics.median(times):7.0f} ms (worst {max(times):.0f})")


def _opened(page: Path) -> tuple[float, dict[str, Any]]:
    with Browser("about:blank") as browser:
        browser.send("Page.navigate", url=page.as_uri())
        browser.wait_for("document.readyState === 'complete' && !!document.querySelector('.list article')")
        opened = browser.value(
            "performance.getEntriesByType('navigation')[0].loadEventEnd"
        )
        browser.value(HELPERS.replace("const ", "var "))
        times = {name: _timed(browser, action) for name, action in ACTIONS.items()}
    return float(opened), times


def _timed(browser: Browser, action: str) -> float:
    script = f"timed(() => {action})"
    result = browser.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
    return float(result["result"]["value"])


if __name__ == "__main__":
    random.seed(0)
    main(*map(int, sys.argv[1:]))
