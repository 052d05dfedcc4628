"""The answer browser in a real browser: it filters, searches, compares, fits a phone, runs no answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.report import Facts, write_report
from ftrun.report.html import data_page
from report.conftest import document
from report.example import facts_of_many
from report.poisoned import poisoned
from support.browser import Browser
from support.hostile import PAYLOADS

pytestmark = pytest.mark.browser
READY = "!!document.querySelector('#answer-browser .list article')"
PHONES = (360, 414)
HELPERS = """
var form = document.querySelector("#answer-browser form");
var fill = (name, value) => {
  form.elements[name].value = value;
  form.dispatchEvent(new Event("input", { bubbles: true }));
};
var choose = (value) => {
  form.querySelector(`input[value="${value}"]`).checked = true;
  form.dispatchEvent(new Event("input", { bubbles: true }));
};
var where = () => document.querySelector("#answer-browser output").textContent;
var all = (what) => [...document.querySelectorAll(what)];
var texts = (what) => all(what).map((one) => one.textContent);
var ids = () => texts(".list .question .id > span:first-child");
var said = (words) => all(".list .said").find((one) => one.textContent.includes(words));
0
"""


class Answers(Browser):
    """A report in a browser."""

    def __init__(self, page: Path) -> None:
        super().__init__("about:blank")
        self.send("Page.navigate", url=page.as_uri())
        self.wait_for(READY)
        self.value(HELPERS)

    def after(self, action: str) -> str:
        """Return what the list says after an action."""
        return str(self.value(f"{action}; where()"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """A report of 300 questions for three candidates."""
    folder = tmp_path_factory.mktemp("report")
    with Answers(write_report(facts_of_many(300, 3), folder)) as browser:
        yield browser


@pytest.fixture(autouse=True)
def all_shown(request: pytest.FixtureRequest) -> None:
    """Take every filter back before a test."""
    if "page" in request.fixturenames:
        request.getfixturevalue("page").value("form.reset(); choose('all')")


def test_what_changed_and_failed_is_a_click_away(page: Answers) -> None:
    """The choices say how many there are, and show them; the links on the first screen do the same."""
    facts = facts_of_many(300, 3)
    flips = facts.scores.comparisons[0].flips
    assert flips is not None
    failed = sum(one.candidate == "tuned" and one.passed is False for one in facts.answers)
    sizes = page.value("texts('.chips b')")
    assert sizes == ["300", str(len(flips.broken)), str(len(flips.fixed)), str(failed)]
    assert page.after("choose('all')") == "1-10 of 300"
    assert page.after("choose('fixed')") == f"1-10 of {len(flips.fixed)} (of 300 in all)"
    assert page.value("ids()") == list(flips.fixed[:10])
    assert page.after("choose('failed')") == f"1-10 of {failed} (of 300 in all)"
    assert page.after("document.querySelector('a[data-show=broken]').click()").startswith("1-10 of")
    assert page.value("ids()") == list(flips.broken[:10])


def test_search_finds_questions_answers_and_references(page: Answers) -> None:
    """Case and width of characters don't matter, hits are marked, and nothing found says so."""
    assert page.after("fill('words', 'INVOICE twice')").endswith("of 75 (of 300 in all)")
    assert page.value("document.querySelector('.list mark').textContent") == "invoice twice"
    assert page.after("fill('words', '１００７４')") == "1-1 of 1 (of 300 in all)"  # in full-width digits
    assert page.after("fill('words', '注文履歴')").endswith("of 75 (of 300 in all)")
    assert page.after("fill('words', 'spam folder')") != "no question matches"
    assert page.after("fill('words', 'xyzzy')") == "no question matches"
    assert page.value("document.querySelectorAll('.list article').length") == 0


def test_filters_combine(page: Answers) -> None:
    """Set, tag, candidate with result, and the value of a scorer narrow what is shown."""
    assert page.after("fill('set', 'prompts')").endswith("of 60 (of 300 in all)")
    assert page.after("fill('tag', 'returns')").endswith("of 15 (of 300 in all)")
    page.value("form.reset()")
    wrong = sum(one.candidate == "base" and not one.passed for one in facts_of_many(300, 3).answers)
    page.value("fill('by', '1')")
    assert page.after("fill('result', 'false')").endswith(f"of {wrong} (of 300 in all)")
    page.value("form.reset(); fill('scorer', 'chrf'); fill('by', '0')")
    scores = [
        one.scores["chrf"]["value"] for one in facts_of_many(300, 3).answers if one.candidate == "tuned"
    ]
    low = sum(one <= 20 for one in scores)
    assert page.after("fill('most', '20')").endswith(f"of {low} (of 300 in all)")
    page.value("fill('order', 'lowest')")
    values = page.value("texts('.list .answer:nth-child(2) .scores')")
    numbers = [float(one.rsplit(" ", 1)[1]) for one in values]
    assert len(numbers) == 10 and numbers == sorted(numbers)


def test_differences_from_the_reference_are_marked(page: Answers) -> None:
    """What is missing or new is marked, in Japanese by characters; unlike texts have no marks."""
    page.value("fill('words', '頂ければ幸いです')")
    marks = "[...said('頂ければ幸いです').querySelectorAll('{}')].map((one) => one.textContent).join('')"
    assert page.value(marks.format("del")) == "くださ"
    assert page.value(marks.format("ins")).startswith("頂ければ幸")
    page.value("fill('words', 'spam folder')")
    assert page.value("said('spam folder').querySelectorAll('ins, del').length") == 0
    page.value("form.elements.differences.checked = false; choose('all')")
    assert page.value("all('.list ins, .list del').length") == 0


def test_the_keyboard_is_enough(page: Answers) -> None:
    """A slash goes to the search, arrows turn pages, j and k go from question to question."""
    page.value("document.activeElement.blur()")
    page.press("/")
    assert page.value("document.activeElement.name") == "words"
    page.write("invoice")
    assert page.after("0").endswith("of 75 (of 300 in all)")
    page.value(
        "form.reset(); choose('all'); document.querySelector('.steps button[data-step=\"1\"]').focus()"
    )
    page.press("ArrowRight")
    assert page.after("0") == "11-20 of 300"
    page.press("j")
    page.press("j")
    assert page.value("all('.list .question').indexOf(document.activeElement)") == 1
    page.press("k")
    page.press("ArrowLeft")
    assert page.after("0") == "1-10 of 300"


def test_only_a_page_of_questions_is_in_the_document(page: Answers) -> None:
    """However many there are, the browser lays out ten; without a script the most telling ones are there."""
    assert page.value("document.querySelectorAll('.list article').length") == 10
    assert page.value("document.querySelectorAll('noscript article').length") == 0  # text, as scripts run


@pytest.mark.parametrize("width", PHONES)
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_whole_page(width: int, dark: bool, tmp_path: Path) -> None:
    """Nothing is cut off or needs scrolling sideways, tables, curve and answers; dark has its own colours."""
    facts = facts_of_many(60, 4, "ja" if dark else "en")
    with Answers(write_report(facts, tmp_path)) as browser:
        _as_phone(browser, width, dark=dark)
        browser.value("all('details').forEach((one) => { one.open = true; })")
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(_OUTSIDE) == []
        light = browser.value("getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(21, 23, 26)") is dark
        assert (
            browser.value("document.querySelector('.drawing .narrow svg').getBoundingClientRect().width")
            > 250
        )
        assert browser.value("getComputedStyle(document.querySelector('.drawing .wide')).display") == "none"


def test_a_phone_shows_the_whole_check(tmp_path: Path) -> None:
    """The page of a check fits too."""
    page = tmp_path / "check.html"
    facts = Facts.from_json(document())
    page.write_text(data_page(facts, headline="1 warning: ready to run.", tone="neutral"), "utf-8")
    with Browser("about:blank") as browser:
        browser.send("Page.navigate", url=page.as_uri())
        browser.wait_for("document.readyState === 'complete'")
        _as_phone(browser, 360, dark=False)
        assert browser.value("document.documentElement.scrollWidth") <= 360
        assert browser.value(_OUTSIDE) == []


# texts and drawings of which a part is right of the screen, also inside of boxes that scroll
_OUTSIDE = """[...document.querySelectorAll("main td, main th, main p, main svg, main li, main button")]
  .filter((one) => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))"""


def _as_phone(browser: Browser, width: int, *, dark: bool) -> None:
    browser.send(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=2, mobile=True
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.send("Emulation.setEmulatedMedia", features=[scheme])
    browser.wait_for(f"innerWidth === {width}")


def test_hostile_answers_stay_text_while_they_are_searched(
    facts_document: dict[str, Any], tmp_path: Path
) -> None:
    """Filters, search and marks of differences put no markup into the page."""
    payload = " ".join(PAYLOADS).format(url="http://127.0.0.1:9")
    with Answers(write_report(poisoned(facts_document, payload), tmp_path)) as browser:
        before = browser.value("document.querySelectorAll('script, img, iframe, base, link, style').length")
        title = browser.value("document.title")
        for words in ("<script>", "onerror", "</title>", "javascript:"):
            assert browser.after(f"fill('words', {words!r})") == "1-3 of 3"
        assert browser.value("document.querySelectorAll('.list mark').length") > 0
        browser.value("form.reset(); choose('failed'); choose('all')")
        assert browser.value("document.querySelectorAll('.list ins').length") == 0
        assert browser.value("document.querySelectorAll('.list del').length") == 6  # the reference ends in !
        assert (
            browser.value("document.querySelectorAll('script, img, iframe, base, link, style').length")
            == before
        )
        assert browser.value("document.title") == title
