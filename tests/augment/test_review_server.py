"""The review page: for the one who has its address, deaf to what rows contain, and saved at once."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ftrun.augment.entries import ReviewEntry, SourceRow
from ftrun.augment.review_file import ReviewFile
from ftrun.augment.review_server import LARGEST_BODY, ReviewServer, refusal
from ftrun.augment.row_texts import row_texts_of
from support.browser import Browser

from .conftest import Build

PAYLOAD = (
    "<script>document.title='owned'</script></textarea><img src=x onerror=\"document.title='owned'\">"
    "\u202e\x1b]0;x {{ 7 * 7 }} </script><svg onload=\"document.title='owned'\">"
)


def entry(name: str, text: str, answer: str = "はい。") -> ReviewEntry:
    """Return an entry that waits."""
    return ReviewEntry(
        id=name,
        status="pending",
        kind="paraphrase" if answer else "failure",
        old={"q": text, "a": text},
        new={"q": f"{name}: {text}", "a": answer},
        rest={"topic": text},
        note=text,
        origin=(SourceRow(file="rows.csv", line=2, digest="d"),),
        made={"model": text},
    )


@pytest.fixture
def server(build: Build) -> Iterator[ReviewServer]:
    """Yield the page's server over three rows, one of them without an answer."""
    experiment = build()
    review = ReviewFile(experiment, row_texts_of(experiment), experiment.project / "runs/toy")
    review.add([entry("one", "質問"), entry("two", PAYLOAD), entry("three", "失敗", answer="")])
    facts = {"experiment": "toy", "training_file": "toy.augmented.jsonl", "source_line": "- {path: x}"}
    server = ReviewServer(review, facts)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(
    server: ReviewServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, JSON (or {}) and headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
    given = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    merged = given | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, content, merged)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(text) if is_json else {}, dict(answer.headers.items())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer 日本".encode().decode("latin-1")}, 401),
    ],
)
def test_others_are_refused(server: ReviewServer, headers: dict[str, str], status: int) -> None:
    """Other names, foreign pages and wrong tokens see no row and change none."""
    new = {"version": server.review.entries()[0].version, "status": "approved", "new": {"q": "x", "a": "y"}}
    assert ask(server, "GET", "/api/entries", **headers)[0] == status
    assert ask(server, "POST", "/api/entries/one", new, **headers)[0] == status
    assert ask(server, "POST", "/api/close", {}, **headers)[0] == status
    assert {one.status for one in server.review.entries()} == {"pending"}


def test_the_page_itself_holds_nothing_and_loads_nothing(server: ReviewServer) -> None:
    """It needs no token, because it shows nothing without one; its policy allows its own script alone."""
    status, _, headers = ask(server, "GET", "/", Authorization="")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert b"http" not in server.page
    assert server.token.encode() not in server.page
    assert refusal({"host": "evil.example"}, port=server.server_port, token=None) is not None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 400),
        (b"[1]", 400),
        (b"[" * 5000, 400),
        ({"version": "x"}, 400),
        ({"version": "x", "status": "done", "new": {}}, 400),
        ({"version": "x", "status": "approved", "new": {"q": 1}}, 400),
        ({"version": "x", "status": "approved", "new": {"q": "x", "a": "y"}}, 409),
    ],
)
def test_a_wrong_request_changes_nothing(server: ReviewServer, body: Any, status: int) -> None:
    """What is malformed, or was made over another version, is refused with a reason."""
    found, document, _ = ask(server, "POST", "/api/entries/one", body)
    assert (found, bool(document["error"])) == (status, True)
    assert ask(server, "POST", "/api/other", {})[0] == 404
    assert ask(server, "GET", "/api/other")[0] == 404
    assert ask(server, "POST", "/api/entries/one", {}, Content_Length=str(LARGEST_BODY + 1))[0] == 413
    assert {one.status for one in server.review.entries()} == {"pending"}


@pytest.mark.browser
def test_a_person_reviews_with_the_keyboard(server: ReviewServer) -> None:
    """In a real browser: approve one, see a payload as text and reject it, write a missing answer."""
    with Browser(server.url) as browser:
        browser.wait_for("document.querySelector('textarea')?.value.startsWith('one')")
        assert browser.value("location.href") == server.url.partition("#")[0], (
            "the token leaves the address bar"
        )
        assert "質問" in browser.value("document.querySelector('#texts td').textContent")
        browser.press("a")
        browser.wait_for("document.querySelector('textarea').value.startsWith('two')")
        assert server.review.entries()[0].status == "approved"
        shown = browser.value("document.querySelector('#texts td').textContent")
        assert shown == PAYLOAD.replace("\u202e", "\\u202e").replace("\x1b", "\\u001b")
        assert browser.value("document.title") == "ftrun review"
        assert browser.value("document.querySelectorAll('img, svg, script').length") == 1
        browser.press("r")
        browser.wait_for("document.querySelector('textarea').value.startsWith('three')")
        browser.press("a")
        browser.wait_for("document.querySelector('#message').textContent.includes('no a yet')")
        browser.press("e")
        browser.wait_for("document.activeElement.name === 'a'")
        browser.write("理想の答え。")
        browser.press("Enter", control=True)
        browser.wait_for("document.querySelector('#done').hidden === false")
        assert "- {path: x}" in browser.value("document.querySelector('#how').textContent")
    entries = server.review.entries()
    assert [one.status for one in entries] == ["approved", "rejected", "approved"]
    assert entries[2].new["a"] == "理想の答え。"
    rows = server.review.training.read_text(encoding="utf-8").splitlines()
    assert [json.loads(row)["a"] for row in rows] == ["はい。", "理想の答え。"]
