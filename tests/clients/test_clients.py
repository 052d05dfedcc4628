"""Everybody's clients, unchanged: scripts as people wrote them, with only address and key in the environment.

Each runs in a process of its own, with its client as that is published, against a real engine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.installing import installed
from support.engine_process import Engine, rows

SCRIPTS = Path(__file__).with_name("scripts")
GPT, OLD_GPT = "gpt-4o-mini-2024-07-18", "gpt-3.5-turbo-0125"
FULL = bool(os.environ.get("FTRUN_TEST_ALL"))
BUILT_IN = "smollm2-135m-instruct"

pytestmark = pytest.mark.xdist_group("clients")  # one engine serves them all
long = pytest.mark.skipif(not FULL, reason="installs much: `make test-clients` and `make test-all` run it")
Run = Callable[..., dict[str, list[str]]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield an engine whose model of rehearsals answers to the names that the scripts use."""
    aliases = [word for name in (GPT, OLD_GPT) for word in ("--alias", f"{name}=rehearsal")]
    running = Engine(home=tmp_path_factory.mktemp("engine"), words=aliases).start()
    yield running
    running.end()


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """Return a way to run a command beside `train.jsonl`: the lines that it prints, by their first word."""
    (tmp_path / "train.jsonl").write_bytes(rows())

    def start(*command: str | Path, of: Engine = engine, path: Path | None = None) -> dict[str, list[str]]:
        environment = {
            "HOME": os.environ["HOME"],
            "PATH": os.pathsep.join([*([str(path)] if path else []), os.environ["PATH"]]),
            "LANG": "C.UTF-8",
            "OPENAI_API_KEY": of.token,
            "OPENAI_BASE_URL": of.base_url,
            "OPENAI_API_BASE": of.base_url,  # its name in 2023
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else LiteLLM asks GitHub for prices, and waits for it
        }
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            said.setdefault(word, []).append(rest)
        return said

    return start


def check_tuned(said: dict[str, list[str]], base: str, suffix: str) -> None:
    """Hold a script's output to a job that succeeded, and to answers of its model that look alike."""
    assert said["status"] == ["succeeded"]
    (model,) = said["model"]
    assert model.startswith(f"ft:{base}:local:{suffix}:")
    assert "A model that went through" in said["chat"][0]
    assert said.get("stream", said["chat"]) == said["chat"]


def test_openai_for_python(run: Run) -> None:
    """The current SDK, from the upload to the deleted model, with parsed answers, responses and tools."""
    said = run(sys.executable, SCRIPTS / "openai_current.py", GPT)
    check_tuned(said, GPT, "support-ja")
    assert "The job has succeeded." in said["event"]
    assert said["parsed"] == ["Ticket"] and "営業時間" in said["response"][0]
    assert said["gone"] == ["model_not_found"]
    called = run(sys.executable, SCRIPTS / "openai_tools.py", GPT)
    assert called["call"] == ["get_weather ['city']"] and called["after"] == ["stop"]


@pytest.mark.local
@pytest.mark.slow
@long
def test_openai_for_python_with_the_built_in_model(run: Run, tmp_path: Path) -> None:
    """The same script trains a real model, and that one answers in all these ways; it has no tools."""
    pytest.importorskip("torch")
    cache = os.environ.get("FTRUN_TEST_CACHE", "")
    if not (Path(cache) / "models").is_dir():
        pytest.skip("the weights of the built-in model are not in FTRUN_TEST_CACHE")
    real = Engine(
        home=tmp_path / "engine",
        variables={"FTRUN_CACHE": cache},
        words=["--alias", f"{GPT}={BUILT_IN}"],
    ).start()
    try:
        said = run(sys.executable, SCRIPTS / "openai_current.py", GPT, of=real)
    finally:
        real.end()
    assert said["status"] == ["succeeded"] and said["chat"] == said["stream"]
    assert said["parsed"] == ["Ticket"]
    assert said["gone"] == ["model_not_found"]


def test_openai_for_python_of_2023(run: Run) -> None:
    """A tutorial for openai 0.28 does all that it did in 2023."""
    said = run(installed("openai-0-28") / "bin/python", SCRIPTS / "openai_028.py", OLD_GPT)
    check_tuned(said, OLD_GPT, "tutorial")
    assert said["completion"][0] and said["deleted"] == ["True", "True"]
    assert said["gone"] == ["model_not_found"]


def test_openai_for_node(run: Run, tmp_path: Path) -> None:
    """The SDK for Node trains, polls, streams, and has JSON and calls of functions."""
    (tmp_path / "node_modules").symlink_to(installed("openai-node") / "node_modules")
    said = run("node", shutil.copy(SCRIPTS / "openai_node.mjs", tmp_path), GPT)
    check_tuned(said, GPT, "node")
    assert said["parsed"] == ["category,urgent"] and said["tool"] == ["city"]
    assert said["deleted"] == ["true"] and said["gone"] == ["model_not_found"]


@long
def test_litellm(run: Run) -> None:
    """LiteLLM trains, and asks the tuned model with and without its provider's name."""
    said = run(installed("dspy") / "bin/python", SCRIPTS / "use_litellm.py", GPT)
    check_tuned(said, GPT, "")
    assert said["listed"] == ["True"] and said["bare"] == said["chat"]
    assert "category" in said["json"][0] and said["vectors"] == ["2 True"]


@long
def test_dspy(run: Run) -> None:
    """DSPy tunes the model of a program, asks the program, and tunes with rows of its own."""
    said = run(installed("dspy") / "bin/python", SCRIPTS / "use_dspy.py", GPT)
    (model,), (second,) = said["model"], said["second"]
    assert model != second and all(one.startswith(f"ft:{GPT}:local::") for one in (model, second))
    assert said["answer"] == ["rehearsal"] and "A model that went through" in said["said"][0]


@long
def test_langchain(run: Run) -> None:
    """LangChain asks, streams, gets objects in both of its ways, calls tools and embeds."""
    said = run(installed("langchain") / "bin/python", SCRIPTS / "use_langchain.py", GPT)
    assert "返品" in said["chat"][0] and said["stream"] == said["chat"] and said["batch"] == ["2"]
    assert said["json_schema"] == said["function_calling"] == ["Ticket"]
    assert said["call"] == ["get_weather ['city']"] and said["after"] == ["AIMessage"]
    assert "返品" in said["responses"][0] and said["vectors"] == ["2 True"]


@long
def test_llm(run: Run) -> None:
    """The command line tool `llm` asks a model of its YAML file, whole, in a stream, again, and for JSON."""
    said = run("sh", SCRIPTS / "use_llm.sh", GPT, path=installed("llm") / "bin")
    assert "返品" in said["chat"][0] and said["stream"] == said["chat"] and "本当に" in said["again"][0]
    assert '"urgent"' in said["schema"][0]
