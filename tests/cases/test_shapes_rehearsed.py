"""Every shape of data goes from the file to a trained rehearsal by what the screen says, without an edit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun, end_engine
from ftrun import data
from ftrun.experiment import build_experiment, read_document

CASES = Path(__file__).parent
REHEARSE = ("--target", "local", "--set", "targets.local.model=rehearsal")
WORDS = ["駅", "港", "橋", "川", "丘", "森", "町", "村", "海", "島", "湖", "山", "bay", "hill"]
PREFERENCE: dict[str, dict[str, Any]] = {
    word: {
        "input": {"messages": [{"role": "user", "content": f"{word}?"}]},
        "preferred_output": [{"role": "assistant", "content": f"North of {word}."}],
        "non_preferred_output": [{"role": "assistant", "content": "No idea."}],
    }
    for word in WORDS
}
OWN: dict[str, list[dict[str, Any]]] = {
    "dpo.jsonl": [*PREFERENCE.values()],
    "graded.jsonl": [
        {"messages": one["input"]["messages"], "answer": "north"} for one in PREFERENCE.values()
    ],
    "kto.jsonl": [
        {"prompt": f"Where is {word}?", "completion": f"North of {word}.", "label": word not in "駅港"}
        for word in WORDS
    ],
    "labelled.jsonl": [
        {"text": f"The way to {word} number {index}", "label": ("good", "bad")[index % 2]}
        for index, word in enumerate(WORDS)
    ],
    "pictures.jsonl": [
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": f"Where is {word}?"},
                        {"type": "image_url", "image_url": {"url": f"https://example.com/{index}.png"}},
                    ],
                },
                {"role": "assistant", "content": f"North of {word}."},
            ]
        }
        for index, word in enumerate(WORDS)
    ],
}
SHARED = [
    "11-sharegpt-preferences/dpo.json",
    "12-sharegpt-tools/glaive.json",
    "12-sharegpt-tools/hermes.jsonl",
    "12-sharegpt-tools/tools_string.jsonl",
    "21-request-list/yandex.jsonl",
]


@pytest.fixture(scope="module")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the store of an engine that all tests of this module share."""
    home = tmp_path_factory.mktemp("shared") / "engine"
    yield home
    end_engine(home)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_home: Path) -> Ftrun:
    """Return the command line in a folder with a space and Japanese, with a quick rehearsal."""
    folder = tmp_path / "新しい 実験"
    folder.mkdir()
    monkeypatch.setenv("FTRUN_HOME", str(engine_home))
    monkeypatch.setenv("FTRUN_REHEARSAL_SECONDS_PER_STEP", "0")
    return Ftrun(folder)


@pytest.mark.parametrize("name", [*SHARED, *OWN])
def test_init_check_run_needs_no_edit(name: str, here: Ftrun) -> None:
    """Three commands give a model that answers, for rows of every method and content."""
    file = here.folder / Path(name).name
    if name in OWN:
        file.write_text("\n".join(json.dumps(row) for row in OWN[name]), encoding="utf-8")
    else:
        file.write_bytes((CASES / name).read_bytes())
    config = here.json("init", file.name, "--name", "case")["file"]
    assert here.json("check", config, *REHEARSE)["errors"] == []
    assert here.json("run", config, *REHEARSE)["status"] == "done"


@pytest.mark.parametrize("name", [*SHARED, "22-messages-as-text/messages_text.csv"])
def test_check_says_which_lines_to_add(name: str, tmp_path: Path) -> None:
    """A source without `shape` has one error, and with the lines of its tip the rows are read."""
    (tmp_path / Path(name).name).write_bytes((CASES / name).read_bytes())
    config = tmp_path / "x.yaml"
    text = (
        "version: 1\nname: x\ntarget: local\ntargets: {local: {provider: local, model: rehearsal}}\n"
        f"data:\n  sources:\n    - path: {Path(name).name}\n"
    )
    config.write_text(text, encoding="utf-8")
    (error,) = data.examine(build_experiment(read_document(config))).errors
    shape, *method = re.findall(r"`((?:shape|train\.method): \w+)`", error.hint or "")
    train = f"train: {{{method[0].removeprefix('train.')}}}\n" if method else ""
    config.write_text(f"{text}      {shape}\n{train}", encoding="utf-8")
    left = {one.code for one in data.examine(build_experiment(read_document(config))).errors}
    assert left <= {"undeclared_function"}  # one of the rows calls what it doesn't declare


def test_findings_name_the_place_in_the_file(tmp_path: Path) -> None:
    """HTML and blank answers of a row that a shape converted are told at its own place; the tips work."""
    rows = [
        {
            "system": "You are brief.",
            "conversations": [
                {"from": "human", "value": f"Where is {word}?"},
                {"from": "gpt", "value": "N/A" if word == "海" else f"<p>It is <b>north</b> of {word}.</p>"},
            ],
        }
        for word in WORDS
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    config = tmp_path / "x.yaml"
    text = (
        "version: 1\nname: x\ndata:\n  sources:\n    - path: rows.jsonl\n      shape: chat\n"
        "prompt: {system: You are Gene.}\n"
    )
    config.write_text(text, encoding="utf-8")
    warned = {one.code: one for one in data.examine(build_experiment(read_document(config))).warnings}
    for code in ("html", "blank_answer"):
        assert warned[code].message.startswith("conversations[1].value: "), warned[code].message
    (where,) = re.findall(r"`(where: [^`]+)`", warned["blank_answer"].hint or "")
    (clean,) = re.findall(r"`data\.(clean: [^`]+)`", warned["html"].hint or "")
    cured = text.replace("shape: chat\n", f"shape: chat\n      {where}\n  {clean}\n")
    config.write_text(cured, encoding="utf-8")
    found = data.examine(build_experiment(read_document(config)))
    assert not {"html", "blank_answer"} & {one.code for one in (*found.errors, *found.warnings)}
    assert data.prepare(build_experiment(read_document(config)), tmp_path / "out").rows == len(rows) - 1


@pytest.mark.parametrize("key", ["images", "image path", "画像", "videos", "audio"])
def test_media_of_ready_chats_are_said_to_be_unused(key: str, tmp_path: Path) -> None:
    """Pictures and recordings beside a chat have an effect on nobody; the tip leaves such rows out."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Where is {word}?"},
                {"role": "assistant", "content": f"North of {word}."},
            ],
            key: ["1.bin"] if index else [],
        }
        for index, word in enumerate(WORDS)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    config = tmp_path / "x.yaml"
    text = "version: 1\nname: x\ndata:\n  sources:\n    - path: rows.jsonl\n"
    config.write_text(text, encoding="utf-8")
    (told,) = [
        one
        for one in data.examine(build_experiment(read_document(config))).warnings
        if one.code == "ignored_key"
    ]
    assert "not used" in told.message and "No action" not in (told.hint or "")
    assert ("image_url" in (told.hint or "")) == (key not in ("videos", "audio"))
    (where,) = re.findall(r"`(where: [^`]+)`", told.hint or "")
    config.write_text(f"{text}      {where}\n", encoding="utf-8")
    assert data.prepare(build_experiment(read_document(config)), tmp_path / "out").rows == 1
