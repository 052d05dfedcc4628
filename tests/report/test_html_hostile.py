"""report.html in a real browser: deaf to whatever its texts contain."""

from __future__ import annotations

import http.server
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.report import write_report
from report.poisoned import poisoned
from support.browser import QUIET, chromium

WAITING = ("--virtual-time-budget=2000", "--dump-dom")
PAYLOADS = (
    "<script>document.title='owned';fetch('{url}/script')</script>",
    "</title></style></textarea></svg><script src='{url}/src'></script>",
    "<img src='{url}/img' onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\">",
    "\"><link rel=stylesheet href='{url}/css'><style>@import '{url}/import'; body{{display:none}}</style>",
    "<iframe src='{url}/frame'></iframe><meta http-equiv=refresh content='0;url={url}/refresh'>"
    "<base href='{url}/'>",
    "' onfocus='document.title=1' autofocus x='<!-- --><![CDATA[ {{{{ 7*7 }}}} {{% raw %}}",
    "\u202e\x1b]0;x\x07 &lt;script&gt; | `a` ]]> \u2028 javascript:alert(1)",
)


@pytest.fixture
def beacon() -> Iterator[tuple[str, list[str]]]:
    """A server that notes every request: its URL and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def opened(page: Path | str) -> str:
    """Return the page's DOM after a real browser has opened it and waited for what it loads."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            chromium(),
            *QUIET,
            *WAITING,
            f"--user-data-dir={profile}",
            page if isinstance(page, str) else page.as_uri(),
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


@pytest.mark.browser
def test_a_poisoned_report_runs_nothing_and_loads_nothing(
    facts_document: dict[str, Any], tmp_path: Path, beacon: tuple[str, list[str]]
) -> None:
    """In a real browser the payloads are text: no script ran, no request left, the page is all there."""
    url, asked = beacon
    payload = " ".join(PAYLOADS).format(url=url)
    dom = opened(write_report(poisoned(facts_document, payload), tmp_path))
    assert asked == []
    assert "<title>owned" not in dom
    found = re.findall(r"<(script|img|iframe|base|object)\b", dom)
    assert found == ["script"] * 4  # the browsers' data and their scripts
    assert "1 of 1</output>" in dom and 'class="turn learned"' in dom
    assert "1-3 of 3</output>" in dom and dom.count('class="answer"') == 12  # and for those without scripts
    assert dom.count("<style") == 1
    assert "Made by ftrun" in dom


@pytest.mark.browser
def test_the_same_payloads_would_bite_an_unguarded_page(
    tmp_path: Path, beacon: tuple[str, list[str]]
) -> None:
    """The corpus is live: pasted into a plain page it runs and loads, so the test above means something."""
    url, asked = beacon
    page = tmp_path / "naive.html"
    page.write_text(
        "<!doctype html><title>t</title>" + " ".join(PAYLOADS[:4]).format(url=url), encoding="utf-8"
    )
    dom = opened(page)
    assert "<title>owned" in dom
    assert {"/img", "/src"} <= set(asked)
