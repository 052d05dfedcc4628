"""report.html: complete, one file, and deaf to whatever its texts contain."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ftrun.report import Facts, write_report
from ftrun.report.html import data_page, html_report
from report.poisoned import poisoned

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and attributes, and checks that tags close as they opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag without content."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the innermost tag."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.text += data


def test_the_page_tells_all_of_it(facts: Facts) -> None:
    """Verdict, answers, flips, curve, data, cost and provenance are there, with all tags closed."""
    html = html_report(facts)
    page = Page(html)
    for part in (
        "Only a hint, from 2 questions: tuned passes 2 of 2 questions",
        "Overfitting from step 42",
        "やはりMacがおすすめです",
        "tuned passes 2 that base fails, and fails 0 that it passes; 0 have the same result.",
        "✓ fixed",
        "overfits from step 42",
        "contains “Macがおすすめ”",
        "5,376",
        "No cost",
        "9f2c9f2c",
        "41b741b7",
        "ftjob-3c1f9a7d2b",
        "5174867aa0c1",
        "with uncommitted changes",
        "torch 2.13.0",
        "base model's number format",
        "bfloat16",
    ):
        assert part in page.text, part
    names = [tag for tag, _ in page.tags]
    assert names.count("caption") == names.count("table")
    assert names.count("h1") == 1
    assert "checkpoint 2, step 42" in html


def test_the_page_needs_nothing_from_outside(facts: Facts) -> None:
    """Nothing loads, there is no script but our own, and a policy that would refuse both."""
    page = Page(html_report(facts))
    policy = next(
        attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for tag, attrs in page.tags:
        assert tag not in {"img", "iframe", "object"}
        assert "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        assert attrs.get("href", "data:,") == "data:,"
        assert "src" not in attrs


def test_scripts_are_those_that_the_policy_names(facts_document: dict[str, Any]) -> None:
    """The policy allows our scripts by their hashes and nothing else; the data can't end its element."""
    html = html_report(poisoned(facts_document, "</script><!-- <script> & \u2028"))
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, flags=re.S)
    kinds = [attributes for attributes, _ in scripts]
    island = ' type="application/json" id="{}-json"'
    assert kinds == [island.format("answers"), island.format("examples"), "", "", ""]
    policy = next(attrs["content"] or "" for tag, attrs in Page(html).tags if "http-equiv" in attrs)
    for _, text in scripts[2:]:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy.split("script-src")[1]
    assert "unsafe" not in policy
    for _, text in scripts[:2]:
        assert not set("<>&\u2028") & set(text)
    assert json.loads(scripts[1][1])[0]["turns"][0]["text"].startswith("</script><!--")
    assert json.loads(scripts[0][1])["cases"][0]["asked"]["text"].startswith("</script><!--")


def test_the_name_of_a_speaker_is_in_the_examples(facts_document: dict[str, Any]) -> None:
    """A message's `name` is shown next to its role, with control characters visible."""
    turn = {"role": "user", "name": "Taro\x1b", "text": "Hi", "trained": False, "cut": 0}
    example = {"split": "train", "number": 1, "file": "a.csv", "line": 2, "tokens": 3, "trained_tokens": 0}
    facts_document["data"]["examples"] = [{**example, "tags": [], "tools": [], "turns": [turn]}]
    found = re.search(r'id="examples-json">(.*?)</script>', html_report(Facts.from_json(facts_document)))
    assert found is not None
    assert json.loads(found[1])[0]["turns"][0]["name"] == r"Taro\x1b"


def test_numbers_of_a_rehearsal_are_marked(facts_document: dict[str, Any]) -> None:
    """Nobody takes made-up losses for a measurement."""
    facts_document["target"]["model"] = "rehearsal"
    page = Page(html_report(Facts.from_json(facts_document)))
    assert "Made up, as this was a rehearsal: losses and token accuracies" in page.text


def test_the_page_of_a_check_has_the_data_alone(facts_document: dict[str, Any]) -> None:
    """Its headline, the problems by code with their hints, and the same tables."""
    problem = {"severity": "error", "code": "empty_content", "message": "it is empty", "hint": "Fill it in."}
    facts_document["data"]["problems"] = [
        {**problem, "file": "a.csv", "line": number} for number in range(1, 6)
    ]
    page = Page(data_page(Facts.from_json(facts_document), headline="5 errors", tone="bad"))
    for part in ("5 errors", "error × 5", "a.csv:5", "2 more", "Examples and tokens per example"):
        assert part in page.text, part
    assert page.text.count("Fill it in.") == 1


def test_a_report_tells_the_warnings_of_the_data(facts: Facts) -> None:
    """A warning about the data is shown with its place, and code in its hint as code."""
    text = html_report(facts)
    assert "configs/hiroyuki.yaml:24" in Page(text).text
    assert re.search("<code>(<[^>]*>)?few: off", text)


def test_japanese_is_marked_as_japanese(facts: Facts) -> None:
    """Han characters alone get Japanese glyphs in a Japanese report."""
    assert 'lang="ja">人間は' in html_report(facts)
    assert 'lang="ja">漢字</span>' in html_report(_with_warning(facts, "漢字"))


def _with_warning(facts: Facts, warning: str) -> Facts:
    return Facts.from_json({**dataclasses.asdict(facts), "warnings": [warning]})


def test_control_and_bidi_characters_are_shown(facts: Facts) -> None:
    """A reader sees that they are there, and they do nothing."""
    html = html_report(_with_warning(facts, "a\x1b[31m\u202egnp.exe\x00"))
    assert not set("\x1b\u202e\x00") & set(html)
    assert '<span class="control">\\x1b</span>' in html
    assert '<span class="control">\\u202e</span>' in html


def test_the_same_facts_give_the_same_bytes(facts: Facts, tmp_path: Path) -> None:
    """A report does not change when nothing did."""
    first = write_report(facts, tmp_path / "a").read_bytes()
    assert write_report(Facts.from_json(dataclasses.asdict(facts)), tmp_path / "b").read_bytes() == first
    assert (tmp_path / "a" / "report.md").read_bytes() == (tmp_path / "b" / "report.md").read_bytes()


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 5000])
def test_any_number_of_steps_can_be_drawn(facts_document: dict[str, Any], steps: int) -> None:
    """No curve for less than two steps; a long training does not make a huge file."""
    facts_document["metrics"] = [{"step": i + 1, "train_loss": 2 / (i + 1)} for i in range(steps)]
    facts_document["checkpoints"] = [{"step": step} for step in range(1, steps + 1, 10)]
    html = html_report(Facts.from_json(facts_document))
    assert ('aria-label="Loss by training step' in html) == (steps >= 2)
    assert len(html) < 400_000
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<style>.*?</style>", "", html, flags=re.S))


def test_a_report_of_almost_nothing_is_still_a_page(facts_document: dict[str, Any]) -> None:
    """A run without job, answers, data or metrics has a report that says so."""
    bare = {name: facts_document[name] for name in ("experiment", "target", "provenance")}
    page = Page(html_report(Facts.from_json({**bare, "status": "pending"})))
    assert "The run did not finish: pending." in page.text
