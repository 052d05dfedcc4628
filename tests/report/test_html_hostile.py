"""report.html in a real browser: deaf to whatever its texts contain."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.report import write_report
from report.poisoned import poisoned
from support.browser import QUIET, chromium
from support.hostile import PAYLOADS, listening

WAITING = ("--virtual-time-budget=2000", "--dump-dom")


@pytest.fixture
def beacon() -> Iterator[tuple[str, list[str]]]:
    """A server that notes every request: its URL and what was asked of it."""
    with listening() as found:
        yield found


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
    assert found == ["script"] * 5  # the browsers' data and their scripts
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
