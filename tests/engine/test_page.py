"""The engine's page: for who has the token or a one-time code, live, and deaf to what models answer."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from ftrun.engine.store import NewJob, Store
from ftrun.engine.store.progress import loss_curve, newest_messages, newest_step
from support.browser import Browser
from support.engine_process import PATIENCE, Engine, chat_worker, upload, wait_until
from support.hostile import PAYLOADS, listening

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


def send(
    engine: Engine, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Return status, text and headers of an answer; the token is right, unless `headers` say otherwise."""
    address = urlsplit(engine.base_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    sent = {"Authorization": f"Bearer {engine.token}", "Content-Type": "application/json", **headers}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.headers.items())
    connection.close()
    return found


def issue(engine: Engine, **page: Any) -> str:
    """Return a new code for a page."""
    status, text, _ = send(engine, "POST", "/ftrun/pages", page)
    assert status == 201, text
    return str(json.loads(text)["code"])


def open_code(engine: Engine, code: str, **headers: str) -> tuple[int, Any]:
    """Exchange a code as a browser does, without the token."""
    status, text, _ = send(engine, "POST", "/ftrun/pages/open", {"code": code}, Authorization="", **headers)
    return status, json.loads(text)


@contextmanager
def opened(engine: Engine, **page: Any) -> Iterator[Browser]:
    """Yield a browser with the page, opened by a code."""
    port, code = urlsplit(engine.base_url).port, issue(engine, **page)
    with Browser(f"http://127.0.0.1:{port}/#code={code}") as browser:
        browser.wait_for("!document.querySelector('#views').hidden")
        yield browser


def text_of(browser: Browser, selector: str) -> str:
    """Return the text of an element."""
    return str(browser.value(f"document.querySelector({selector!r}).textContent"))


def click(browser: Browser, selector: str) -> None:
    """Click an element."""
    browser.value(f"document.querySelector({selector!r}).click()")


def say(browser: Browser, question: str) -> None:
    """Write a question and press Enter."""
    browser.value("document.querySelector('#question').focus()")
    browser.write(question)
    browser.send("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r", windowsVirtualKeyCode=13)


def wait_for_answers(browser: Browser, count: int) -> list[str]:
    """Wait until so many answers are there, and return the texts of all."""
    browser.wait_for(
        f"document.querySelectorAll('.answer').length === {count} && document.querySelector('#stop').hidden"
    )
    found = browser.value("[...document.querySelectorAll('.said')].map((one) => one.textContent)")
    assert isinstance(found, list)
    return found


def test_the_page_itself_holds_nothing_and_loads_nothing(engine: Engine) -> None:
    """It needs no token, because it shows nothing without one; its policy allows its own script alone."""
    status, text, headers = send(engine, "GET", "/", Authorization="")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect-src 'self'" in policy
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert engine.token not in text
    assert "src=" not in text
    assert 'lang="ja"' in send(engine, "GET", "/?lang=ja", Authorization="")[1]
    assert 'lang="en"' in send(engine, "GET", "/?lang=../x", Authorization="")[1]
    assert send(engine, "GET", "/", Authorization="", Host="evil.example")[0] == 403
    assert send(engine, "POST", "/", {}, Authorization="")[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ftrun/pages"),
        ("GET", "/ftrun/pages/x/waiting"),
        ("GET", "/ftrun/pages/open"),
        ("POST", "/ftrun/pages/open/"),
        ("GET", "/ftrun/models"),
        ("GET", "/ftrun/jobs/x"),
        ("POST", "/ftrun/localized"),
        ("GET", "//"),
    ],
)
def test_what_has_data_needs_the_token(engine: Engine, method: str, path: str) -> None:
    """Everything but the page and the exchange of a code is refused without the token."""
    status, text, _ = send(engine, method, path, {} if method == "POST" else None, Authorization="")
    assert (status, json.loads(text)["error"]["code"]) == (401, "invalid_api_key")


def test_a_code_opens_the_page_once_and_for_a_short_time(engine: Engine) -> None:
    """A code gives token and content once; a used, an old and a wrong one give nothing, to no other page."""
    models = [{"label": "base", "model": "rehearsal"}]
    code = issue(
        engine, title="toy", models=models, system="短く", sampling={"seed": 7}, prompts=["一番は？"]
    )
    assert open_code(engine, code, Origin="http://evil.example")[0] == 403
    assert json.loads(send(engine, "GET", f"/ftrun/pages/{code}/waiting")[1]) == {"waiting": True}
    status, found = open_code(engine, code)
    assert (status, found["token"]) == (200, engine.token)
    assert found["page"]["models"] == models
    assert found["page"]["sampling"] == {"seed": 7}
    assert json.loads(send(engine, "GET", f"/ftrun/pages/{code}/waiting")[1]) == {"waiting": False}
    for wrong in (code, "wrong", "x" * 5000):
        status, found = open_code(engine, wrong)
        assert status == (413 if len(wrong) > 4096 else 404)
        assert "token" not in found
    short = issue(engine, seconds=1)
    wait_until(
        lambda: json.loads(send(engine, "GET", f"/ftrun/pages/{short}/waiting")[1]) == {"waiting": False}
    )
    assert open_code(engine, short)[0] == 404


@pytest.mark.parametrize(
    ("page", "param"),
    [
        ({"models": [{"label": "x", "model": "gpt-5"}]}, "model"),
        ({"models": [{"label": "x", "model": "rehearsal"}] * 4}, "models"),
        ({"models": ["rehearsal"]}, "models[0]"),
        ({"sampling": {"temperature": 3}}, "sampling.temperature"),
        ({"sampling": {"stop": "x"}}, "sampling.stop"),
        ({"prompts": [1]}, "prompts"),
        ({"seconds": 601}, "seconds"),
        ({"html": "x"}, "html"),
    ],
)
def test_a_page_that_can_not_be_shown_is_refused(engine: Engine, page: dict[str, Any], param: str) -> None:
    """Unknown models, too many of them and odd values are errors that name the parameter."""
    status, text, _ = send(engine, "POST", "/ftrun/pages", page)
    assert status in (400, 404)
    assert json.loads(text)["error"]["param"] == param


def test_a_long_job_has_a_curve_of_few_points(tmp_path: Path) -> None:
    """However many steps a job has, its curve stays small and ends at the last step; the rest are means."""
    store = Store(tmp_path)
    new = NewJob(
        model="rehearsal",
        training_file="file-1",
        validation_file=None,
        hyperparameters={},
        seed=1,
        suffix=None,
        metadata=None,
    )
    job = store.jobs.create(new).id
    assert loss_curve(store.database, job, points=400) == []
    with store.database.transaction():
        for step in range(1, 1201):
            losses = {"train_loss": float(step)} | ({"full_valid_loss": 2.0} if step == 600 else {})
            store.jobs.add_step(job, step, losses)
            store.jobs.add_event(job, f"Step {step}", data={"step": step, "total_steps": 1200})
    curve = loss_curve(store.database, job, points=400)
    assert curve[0] == (4, 2.5, None, None)
    assert curve[-1] == (1200, 1198.5, None, None)
    assert len(curve) == 300
    assert [one.step for one in curve if one.full_valid_loss == 2.0] == [600]
    assert newest_step(store.database, job)["step"] == 1200
    assert [one.type for one in newest_messages(store.database, job, limit=100)] == ["message"]
    store.close()


@pytest.mark.browser
def test_a_job_is_watched_paused_and_cancelled(own_engine: Callable[..., Engine]) -> None:
    """The curve of a running job grows by itself; pause, resume and cancel work; a hostile name is text."""
    engine = own_engine(FTRUN_REHEARSAL_SECONDS_PER_STEP="0.1")
    with opened(engine) as browser, engine.client() as client:
        browser.wait_for("!document.querySelector('#no-jobs').hidden")
        file = upload(client)
        job = client.fine_tuning.jobs.create(
            model="rehearsal",
            training_file=file,
            validation_file=file,
            suffix=HOSTILE,
            hyperparameters={"n_epochs": 50},
        )
        browser.wait_for("!document.querySelector('#job-figure').hidden")
        points = "document.querySelector('#job-curve .train').getAttribute('points').split(' ').length"
        seen = browser.value(points)
        browser.wait_for(f"{points} > {seen} && !!document.querySelector('#job-curve .valid')")
        assert "/300" not in text_of(browser, "#job-events")
        assert "300" in text_of(browser, "#job-pace")
        assert text_of(browser, "#job-list b") == text_of(browser, "#job-title") == HOSTILE
        click(browser, "#job-pause")
        browser.wait_for("document.querySelector('#job-status').textContent === 'paused'")
        click(browser, "#job-resume")
        browser.wait_for("document.querySelector('#job-status').textContent === 'running'")
        click(browser, "#job-cancel")
        assert client.fine_tuning.jobs.retrieve(job.id).status == "running", "it asks first"
        click(browser, "#job-cancel")
        browser.wait_for("document.querySelector('#job-status').textContent === 'cancelled'")
        assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
        for language, shown in (("ja", "ジョブを取り消しました。"), ("xx", "The job was cancelled.")):
            found = json.loads(send(engine, "GET", f"/ftrun/jobs/{job.id}?lang={language}")[1])
            assert found["messages"][0]["message"] == shown
        assert send(engine, "GET", "/ftrun/jobs/ftjob-none")[0] == 404
        assert browser.value("document.title") == "ftrun engine"
        assert browser.value("document.querySelectorAll('img').length") == 0
        click(browser, "#to-chat")
        browser.wait_for("document.querySelector('#columns').textContent.includes(':ckpt-step-')")
        names = browser.value("[...document.querySelectorAll('#columns option')].map((one) => one.value)")
        assert {"rehearsal", "smollm2-135m-instruct"} < set(names)


@pytest.mark.browser
def test_models_answer_side_by_side(engine: Engine) -> None:
    """Two models stream, remember their turns, can be stopped, and whatever they say is text."""
    models = [{"label": name, "model": "rehearsal"} for name in ("one", "other")]
    page = {"title": "toy", "models": models, "system": "短く答えて。", "prompts": ["一番は？"]}
    with listening() as (url, asked), opened(engine, **page, sampling={"max_tokens": 4096}) as browser:
        assert browser.value("location.href").endswith("/"), "the code leaves the address bar"
        assert browser.value("document.querySelector('#system').value") == "短く答えて。"
        click(browser, ".prompt")
        assert wait_for_answers(browser, 2) == ["[rehearsal] The base model was asked: 一番は？"] * 2
        first = text_of(browser, ".answer .soft")
        payload = " ".join(PAYLOADS).format(url=url)
        say(browser, payload)
        said = wait_for_answers(browser, 4)[-1]
        assert said.endswith("`a` ]]> \\u2028 javascript:alert(1)")
        assert "<script>document.title='owned'" in said
        assert "\\u202e\\u001b" in said
        tokens = [
            int(one.split("prompt: ")[1].split()[0])
            for one in (first, text_of(browser, ".turn:last-child .soft"))
        ]
        assert tokens[1] > tokens[0] + 20, "the earlier turn is part of the prompt"
        assert asked == []
        assert browser.value("document.title") == "toy"
        assert browser.value("document.querySelectorAll('img, iframe, script, base, link').length") == 2
        os.kill(chat_worker(engine), signal.SIGSTOP)
        try:
            say(browser, "止めて。")
            browser.wait_for("!document.querySelector('#stop').hidden")
            click(browser, "#stop")
            assert wait_for_answers(browser, 6)[-2:] == ["", ""]
        finally:
            os.kill(chat_worker(engine), signal.SIGCONT)
        assert text_of(browser, ".turn:last-child .soft").startswith("stopped after")
        say(browser, "続けて。")
        assert wait_for_answers(browser, 8)[-1] == "[rehearsal] The base model was asked: 続けて。"
        click(browser, "#restart")
        assert browser.value("document.querySelectorAll('.turn').length") == 0


@pytest.mark.browser
def test_a_browser_without_the_token_sees_nothing(engine: Engine, client: openai.OpenAI) -> None:
    """A code works once; then, as with a wrong token, the page asks for the token and says why."""
    port, code = urlsplit(engine.base_url).port, issue(engine)
    assert open_code(engine, code)[0] == 200
    with Browser(f"http://127.0.0.1:{port}/?lang=ja#code={code}") as browser:
        browser.wait_for("!document.querySelector('#enter').hidden")
        browser.wait_for("document.querySelector('#message').textContent.includes('すでに開かれたか')")
        assert browser.value("document.querySelector('#views').hidden")
        for token, shown in (("wrong", "enter"), (f"export OPENAI_API_KEY={engine.token}", "views")):
            browser.value(f"document.querySelector('#token').value = {token!r}")
            click(browser, "#enter button")
            browser.wait_for(
                f"document.querySelector('#token').value === '' && !document.querySelector('#{shown}').hidden"
            )
            if token == "wrong":
                browser.wait_for(
                    "document.querySelector('#message').textContent.includes('トークンではありません')"
                )
                assert browser.value("sessionStorage.getItem('token')") is None
        assert text_of(browser, "#to-jobs") == "ジョブ"
        assert engine.token not in browser.value("location.href + document.documentElement.outerHTML")
        browser.send(
            "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True
        )
        for view in ("chat", "jobs"):
            click(browser, f"#to-{view}")
            assert browser.value("document.documentElement.scrollWidth") <= 360
