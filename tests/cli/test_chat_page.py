"""`ftrun chat --web`: the page of the experiment, and an address that no other user of the machine sees."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from support.engine_process import PATIENCE

CHAT = ("chat", "configs/toy.yaml", "--web")
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+/)(?:\?lang=ja)?#code=([\w-]+)")
# a browser that keeps what it was started with and what it read, and opens the page
BROWSER = """#!/usr/bin/env python3
import json, os, pathlib, re, stat, sys, urllib.request
from urllib.parse import unquote, urlsplit
file = pathlib.Path(unquote(urlsplit(sys.argv[1]).path))
page = file.read_text(encoding="utf-8")
address, code = re.search(r"(http://[^#?]+)[^#]*#code=([\\w-]+)", page).groups()
body = json.dumps({"code": code}).encode()
found = json.load(urllib.request.urlopen(urllib.request.Request(address + "ftrun/pages/open", data=body)))
seen = {"argv": sys.argv[1:], "code": code, "token": found["token"], "page": found["page"]}
seen |= {"mode": stat.S_IMODE(file.stat().st_mode), "file": str(file)}
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(seen), encoding="utf-8")
"""


def open_code(address: str, code: str) -> dict[str, Any]:
    """Return what the page gets for its code."""
    body = json.dumps({"code": code}).encode()
    request = urllib.request.Request(f"{address}ftrun/pages/open", data=body)
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_the_page_shows_the_experiment(ftrun: Ftrun) -> None:
    """The printed address has the tuned model beside base and others, the system prompt, the sampling and the
    questions; an unknown model is exit 2; the commands of the engine print addresses, too.
    """
    ftrun.json("configs/toy.yaml")
    done = ftrun(*CHAT, "--no-browser", "--with", "ckpt-step-6", env={"FTRUN_LANG": "ja"})
    assert done.returncode == 0, done.stderr
    found = ADDRESS.search(done.stdout)
    assert found is not None
    assert "?lang=ja#" in done.stdout
    page = open_code(found[1], found[2])["page"]
    assert [one["label"] for one in page["models"]] == ["tuned", "base", "ckpt-step-6"]
    assert page["models"][0]["model"].startswith("ft:rehearsal:local:toy:")
    assert (page["title"], page["system"]) == ("toy", "あなたは短く答えます。")
    assert page["sampling"] == {"temperature": 0, "max_tokens": 256, "seed": 42}
    assert page["prompts"] == ["一番は？", "二番は？"]
    four = ftrun(
        *CHAT, "--no-browser", *(word for step in (6, 12) for word in ("--with", f"ckpt-step-{step}"))
    )
    found = ADDRESS.search(four.stdout)
    assert found is not None
    labels = [one["label"] for one in open_code(found[1], found[2])["page"]["models"]]
    assert labels == ["tuned", "ckpt-step-6", "ckpt-step-12"]
    unknown = ftrun(*CHAT, "--with", "gpt-5")
    assert unknown.returncode == 2 and "There is no model 'gpt-5' here" in unknown.stderr
    shown = ftrun("serve", "--show")
    found = ADDRESS.search(shown.stderr)
    assert found is not None
    assert "#code" not in shown.stdout
    assert open_code(found[1], found[2])["page"]["models"] == []
    with pytest.raises(urllib.error.HTTPError):
        open_code(found[1], found[2])


def test_the_engine_in_the_foreground_prints_the_address(ftrun: Ftrun) -> None:
    """`ftrun serve` says where its page is, without a code or the token in the address."""
    run = ftrun.start("serve", "--home", str(ftrun.folder / "home"))
    assert run.stderr is not None
    line = next(line for line in run.stderr if "browser" in line)
    run.send_signal(signal.SIGTERM)
    run.communicate(PATIENCE)
    assert re.fullmatch(
        r"Jobs and models in the browser: http://127\.0\.0\.1:\d+/ \(asks for the token\)\n", line
    )


def test_no_other_user_sees_the_way_in(ftrun: Ftrun, tmp_path: Path) -> None:
    """The browser's command line has neither code nor token, only a file of this user, which is gone soon.
    Where no browser can be started, the address is printed instead.
    """
    ftrun.json("configs/toy.yaml")
    program, seen = tmp_path / "browser", tmp_path / "seen.json"
    program.write_text(BROWSER, encoding="utf-8")
    program.chmod(0o755)
    done = ftrun(*CHAT, env={"BROWSER": f"{program} %s", "SEEN": str(seen)}, fresh=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(seen.read_text(encoding="utf-8"))
    assert found["argv"] == [Path(found["file"]).as_uri()]
    assert found["mode"] == 0o600
    for secret in (found["code"], found["token"]):
        assert secret not in " ".join(found["argv"]) + done.stdout + done.stderr
    assert not Path(found["file"]).exists()
    assert re.search(r"Opening http://127\.0\.0\.1:\d+/ in the browser", done.stdout)
    assert [one["label"] for one in found["page"]["models"]] == ["tuned", "base"]
    started = time.monotonic()
    done = ftrun(*CHAT, env={"BROWSER": "/no/such/browser %s", "PATH": "/nowhere", "DISPLAY": ""})
    assert done.returncode == 0, done.stderr
    assert ADDRESS.search(done.stdout)
    assert time.monotonic() - started < PATIENCE
    assert not list(ftrun.folder.rglob("chat.html"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--web", "--message", "x"), "--web can't be used with --message or --json"),
        (("--no-browser",), "--no-browser needs --web"),
        (("--web", "--target", "remote"), "--web shows models of the engine on this machine"),
        (("--web",), "has no trained model yet"),
    ],
)
def test_what_can_not_be_shown_is_refused(ftrun: Ftrun, words: tuple[str, ...], message: str) -> None:
    """Another service, no model at all and options that exclude each other are exit 2."""
    config = ftrun.folder / "configs/toy.yaml"
    text = config.read_text(encoding="utf-8")
    local = "  local: {provider: local, model: rehearsal}\n"
    remote = "  remote: {provider: openai, model: gpt-4.1-mini-2025-04-14}\n"
    config.write_text(text.replace(local, local + remote), encoding="utf-8")
    target = () if "--target" in words else ("--target", "local")
    done = ftrun("chat", "configs/toy.yaml", *target, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
