"""The example browser in a real browser: it filters, searches and steps, by mouse and by key."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.report import Facts
from ftrun.report.html import data_page

from .test_html_hostile import opened

# Drives the page from outside, as its own policy forbids scripts inside; what it saw ends up in its title.
DRIVER = """<!doctype html><meta charset="utf-8">
<iframe src="page.html" width="390" height="900"></iframe><script>
document.querySelector("iframe").addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const form = page.querySelector("form"), card = page.querySelector(".card"), seen = [];
  const where = page.querySelector("output");
  const look = () => seen.push(where.textContent + " | " + card.innerText.split("\\n")[0]);
  const fill = (name, value) => {
    if (name === "marked") form.elements.marked.checked = value; else form.elements[name].value = value;
    form.dispatchEvent(new Event("input", { bubbles: true })); look();
  };
  const press = (on, key) => {
    on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); look();
  };
  look();
  press(card, "ArrowRight"); press(card, "ArrowLeft"); press(card, "ArrowLeft");
  page.querySelectorAll("button")[1].click(); look();
  press(form.elements.words, "ArrowRight");
  fill("split", "test"); fill("split", ""); fill("words", "答え3"); fill("role", "user"); fill("role", "");
  fill("words", "b.csv:7"); fill("words", "no such"); fill("words", ""); fill("marked", true);
  seen.push(page.documentElement.scrollWidth <= 390 ? "fits" : "too wide");
  document.title = JSON.stringify(seen);
});
</script>"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Serve the folder, since a page may look into another one of the same server only."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/driver.html"
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.browser
def test_filters_search_and_keys(facts_document: dict[str, Any], tmp_path: Path, served: str) -> None:
    """Stepping stops at the ends, filters combine, the search field keeps its keys, a phone shows it all."""
    places = [("train", "a.csv", n) for n in range(1, 4)] + [("test", "b.csv", 7), ("test", "b.csv", 8)]
    facts_document["data"]["examples"] = [
        {
            "split": split,
            "number": number,
            "file": file,
            "line": line,
            "tokens": 1200,
            "trained_tokens": 5,
            "tags": ["over_limit"] if line == 8 else [],
            "turns": [
                {"role": "user", "text": f"質問{number}"},
                {"role": "assistant", "text": f"答え{number}", "trained": True},
            ],
        }
        for number, (split, file, line) in enumerate(places, 1)
    ]
    page = data_page(Facts.from_json(facts_document), headline="all good", tone="good")
    (tmp_path / "page.html").write_text(page, "utf-8")
    (tmp_path / "driver.html").write_text(DRIVER, "utf-8")
    dom = opened(served)
    found = re.search(r"<title>(.*?)</title>", dom)
    assert found is not None
    seen = json.loads(found[1])
    train1, train2, test4, test5 = ("train 1", "train 2", "test 4", "test 5")
    assert [one.split("a.csv")[0].split("b.csv")[0].strip() for one in seen] == [
        f"1 of 5 | {train1}",
        f"2 of 5 | {train2}",
        f"1 of 5 | {train1}",
        f"1 of 5 | {train1}",
        f"2 of 5 | {train2}",
        f"2 of 5 | {train2}",
        f"1 of 2 | {test4}",
        f"1 of 5 | {train1}",
        "1 of 1 | train 3",
        "no example matches |",
        "1 of 1 | train 3",
        f"1 of 1 | {test4}",
        "no example matches |",
        f"1 of 5 | {train1}",
        f"1 of 1 | {test5}",
        "fits",
    ]
