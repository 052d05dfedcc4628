"""docs/leaving-openai.md: its commands, in their order, against an account of old jobs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Ftrun
from support.old_account import KEY, old_account
from support.old_jobs import stock

PAGES = ("docs/leaving-openai.md", "docs/ja/leaving-openai.md")
CASES = ["legacy", "hiroyuki", "failed-data", "training-gone", "continued", "tickets", "clerk"]
AT_OPENAI = "openai: {provider: openai, "
HERE = (
    f"{AT_OPENAI}base_url: '%s', api_key_env: OPENAI_API_KEY, price: {{train: 3, input: 0.3, output: 1.2}}, "
)
REHEARSE = "--set targets.local.model=rehearsal"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
AGREE = ("import --list", "rescue")  # they ask before a key is sent to this server, or before they cost
CODES = {"rescue --all": 1, "port imported/configs/clerk.yaml": 5}
REAL = ("chat", "export")  # need a model that answers
FROM_HERE = "## 6."  # from this part on, what is shown are answers and verdicts of the built-in model
AGAIN = "## 9."

Block = tuple[str, str, str]  # the heading above it, its language, its text


def blocks(page: str) -> list[Block]:
    """Return the code blocks of a page."""
    text, found = (ROOT / page).read_text(encoding="utf-8"), list[Block]()
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        heading = part.partition("\n")[0]
        found += [(heading, language, block) for language, block in FENCE.findall(part)]
    return found


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of a block."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


class Afternoon:
    """Runs the page's blocks in a folder, and keeps what the last commands printed."""

    def __init__(self, folder: Path, base_url: str, *, real: bool, environment: Mapping[str, str]) -> None:
        self._folder, self._base_url, self._real = folder, base_url, real
        self._environment, self._ftrun, self.printed = environment, Ftrun(folder), ""

    def do(self, heading: str, language: str, text: str) -> None:
        """Write a file, run commands, or compare what they printed with what the page shows."""
        if language == "yaml":
            assert AT_OPENAI in text
            made = text.replace(AT_OPENAI, HERE % self._base_url)
            (self._folder / "account.yaml").write_text(made, encoding="utf-8")
        elif language == "csv":
            (self._folder / "questions.csv").write_text(text, encoding="utf-8")
        elif language == "sh":
            self.printed = "".join(self._run(words) for words in commands(text))
        elif self._real or heading < FROM_HERE or heading >= AGAIN or "dry-run" in self.printed:
            self._compare(text)

    def _run(self, words: list[str]) -> str:
        if words[0] == "git":
            how: dict[str, Any] = {"cwd": self._folder, "env": self._environment, "check": True}
            subprocess.run(words, capture_output=True, **how)
            return ""
        assert words[0] == "ftrun"
        line = " ".join(words[1:])
        if line.startswith(REAL) and not self._real:
            return ""
        if line.startswith("doctor --ci"):
            self._move_to_openai()
        more = ["--yes"] if line.startswith(AGREE) else []
        if line.startswith("port") and not self._real and "--dry-run" not in line:
            more += shlex.split(REHEARSE)
        done = self._ftrun(*words[1:], *more, env=self._environment, timeout=3000 if self._real else 300)
        code = next((code for start, code in CODES.items() if line.startswith(start)), 0)
        judged = line.startswith("port") and not self._real  # a rehearsal learns nothing
        assert done.returncode in ((0, 5) if judged else (code,)), (line, done.stdout, done.stderr)
        return f"{line}\n{done.stdout}{done.stderr}"

    def _move_to_openai(self) -> None:
        """Let the experiments be at OpenAI itself, whose dates are in the table that needs no server."""
        for path in (self._folder / "imported" / "configs").glob("*.yaml"):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if not line.lstrip().startswith(("base_url:", "api_key_env:"))]
            path.write_text("".join(kept), encoding="utf-8")

    def _compare(self, shown: str) -> None:
        """Hold each line that the page shows to the output: `…` stands for anything."""
        for line in filter(None, map(str.strip, shown.splitlines())):
            parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("…")]
            assert re.search(r"\s*.*".join(parts), self.printed), (line, self.printed)


def leave(folder: Path, *, real: bool) -> None:
    """Go through the page in an empty repository."""
    parts = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    git = dict.fromkeys(parts, "a@example.com")
    environment = {**os.environ, **git, "OPENAI_API_KEY": KEY}
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True, env=environment)
    with old_account(cases=CASES) as account:
        afternoon = Afternoon(folder, account.base_url, real=real, environment=environment)
        for heading, language, text in blocks(PAGES[0]):
            afternoon.do(heading, language, text)
        assert set(account.posts) == {"/chat/completions"}  # nothing was created at the provider
        assert set(account.downloads.values()) == {1}
    committed = subprocess.run(["git", "ls-files"], cwd=folder, capture_output=True, text=True, check=True)
    assert "imported/configs/rescued/tickets-openai.jsonl" in committed.stdout
    assert "imported/runs/tickets-local/local/report.md" in committed.stdout
    assert KEY not in "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml"))


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """They lead from an account at OpenAI to a port that was judged, and print what the page shows; what a
    model would have to be trained for is rehearsed.
    """
    leave(tmp_path, real=False)


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FTRUN_TEST_ALL"), reason="trains two models; make test-all does")
def test_the_verdicts_of_the_page_are_real(tmp_path: Path) -> None:
    """With the built-in model one port may replace its old model and the other may not, as the page says."""
    leave(tmp_path, real=True)


def test_both_pages_are_equal_in_content() -> None:
    """The Japanese page has the English one's headings by level, tables, links and code blocks."""
    english, japanese = ((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    shapes = [re.findall(r"^(#+) |^(\|)|^(- )", text, re.MULTILINE) for text in (english, japanese)]
    assert shapes[0] == shapes[1]
    assert blocks_of(PAGES[0]) == blocks_of(PAGES[1])
    links = [sorted(re.findall(r"\]\((https:[^)]+)\)", text)) for text in (english, japanese)]
    assert links[0] == links[1]


def blocks_of(page: str) -> list[tuple[str, str]]:
    """Return languages and texts of the code blocks of a page."""
    return [(language, text) for _, language, text in blocks(page)]


def test_the_page_shows_the_account_of_the_test() -> None:
    """Every model and job that the page names is one of the account's."""
    text, held = (ROOT / PAGES[0]).read_text(encoding="utf-8"), stock(cases=CASES)
    names = set(re.findall(r"\bft:[\w:.-]+|ftjob-\w+", text))
    assert names and names <= {*held.jobs, *(job["fine_tuned_model"] for job in held.jobs.values())}
