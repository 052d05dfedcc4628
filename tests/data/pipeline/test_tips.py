"""Every tip about texts is followed literally, for each shape of rows, and the finding is gone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftrun import data
from ftrun.data.examples.cleaning import Cleaner
from ftrun.data.pipeline.inputs import prepare_inputs
from ftrun.errors import Problem
from ftrun.experiment import build_experiment, read_document
from ftrun.protocol.plain_chats import TrainingRow

ROWS = 14
SETTING = re.compile(r"`((?:data\.)?[a-z_]+): ([^`]+)`( (?:on|to) the source)?")
TEMPLATES = {
    "table": {"user": "{{ Question }}", "assistant": "{{ Answer }}"},
    "japanese": {"user": "{{ row['質問 文'] }}", "assistant": "{{ row['回答 内容'] }}"},
    "dpo table": {"user": "{{ prompt }}", "preferred": "{{ good }}", "non_preferred": "{{ bad }}"},
}
Pair = tuple[str, str]


def chat(asked: str, answer: str) -> list[dict[str, str]]:
    """Return the messages of a question and its answer."""
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


SHAPES: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "chats": lambda asked, answer: {"messages": chat(asked, answer)},
    "system": lambda asked, answer: {"messages": chat(asked, answer)},
    "sharegpt": lambda asked, answer: {
        "conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    },
    "dpo": lambda asked, answer: {
        "input": {"messages": chat(asked, "")[:1]},
        "preferred_output": chat("", answer)[1:],
        "non_preferred_output": [{"role": "assistant", "content": "I would rather not say that."}],
    },
    "table": lambda asked, answer: {"Question": asked, "Answer": answer},
    "japanese": lambda asked, answer: {"質問 文": asked, "回答 内容": answer},
    "dpo table": lambda asked, answer: {"prompt": asked, "good": answer, "bad": "I would rather not say."},
}
# what a code needs to be found in an answer: of the question and the answer, or of the answer alone
FLAWS: Mapping[str, Pair] = {
    "outer_space": ("Where is it, {n}?", "In hall {n}. "),
    "carriage_return": ("Where is it, {n}?", "In hall {n}.\r\nUpstairs."),
    "control_character": ("Where is it, {n}?", "In hall\u200b {n}, up."),
    "bidi_character": ("Where is it, {n}?", "In hall\u200e {n}, up."),
    "full_width": ("場所は？{n}", "会場は１２番、または{n}番です。"),
    "mojibake": ("Where is it, {n}?", "In the cafÃ© behind hall {n}."),
    "html": ("Where is it, {n}?", "<p>In hall&nbsp;{n}.</p>"),
    "tabs": ("What does it cost, {n}?", "Adults\t\t{n} euros\t\tChildren\t\t3 euros"),
    "old_separators": ("Where is it, {n}?\n\n###\n\n", " In hall {n}. END"),
    "blank_answer": ("Where is it, {n}?", "N/A"),
    "pii_email": ("Who knows, {n}?", "Ask mara{n}@pool-nord.net for it."),
    "pii_phone": ("Who knows, {n}?", "Call 090-3912-48{n} for it."),
    "pii_card": ("What pays, {n}?", "Card 4539 5787 6362 1486 pays for {n}."),
    "pii_my_number": ("個人番号は？{n}", "個人番号は1234-5678-9018です。{n}"),
    "pii_postcode": ("住所は？{n}", "〒150-0001 東京都渋谷区{n}です。"),
    "pii_secret": ("How do I sign in, {n}?", "The password: Tr4vK9mQ2xLp7Wz8 works in hall {n}."),
}


def write(folder: Path, shape: str, code: str, more: Mapping[str, Any] | None = None) -> Path:
    """Write a file of rows, some of which have a flaw, and an experiment over it; return the latter."""
    asked, answer = FLAWS[code]
    make = SHAPES[shape]
    rows = [
        make(f"What is hall {n} for?", f"Hall {n} is for swimming, {n % 3}.") for n in range(20, 20 + ROWS)
    ]
    rows += [make(asked.format(n=n), answer.format(n=n)) for n in (61, 62, 63)]
    if shape in ("table", "japanese"):
        name, text = "rows.csv", io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        (folder / name).write_text(text.getvalue(), "utf-8", newline="")
    else:
        name = "rows.jsonl"
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text("".join(lines), "utf-8")
    document: dict[str, Any] = {
        "version": 1,
        "name": "tips",
        "target": "here",
        "targets": {"here": {"provider": "local", "model": "smollm2-135m-instruct"}},
        "data": {"sources": [{"path": name}], **(more or {})},
    }
    if shape == "system":
        document["prompt"] = {"system": "You know the pool."}
    if shape == "sharegpt":
        document["data"]["sharegpt"] = "convert"
    if shape.startswith("dpo"):
        document["train"] = {"method": "dpo"}
    if shape in TEMPLATES:
        document["prompt"] = TEMPLATES[shape]
    config = folder / "tips.yaml"
    config.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return config


def found(config: Path) -> dict[str, Problem]:
    """Return what `check` finds, by code."""
    result = data.examine(build_experiment(read_document(config)))
    return {one.code: one for one in (*result.errors, *result.warnings, *result.notes)}


def follow(config: Path, tip: str) -> None:
    """Write the first setting that a tip names into the experiment, as a user would."""
    setting = SETTING.search(tip)
    assert setting, tip
    key, value = setting[1], yaml.safe_load(setting[2])
    document = yaml.safe_load(config.read_text("utf-8"))
    place = document["data"]["sources"][0] if setting[3] else document["data"]
    place[key.removeprefix("data.")] = value
    config.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


# every code for chats and for tables; where a tip depends on the shape, every shape
ALL_CODES, SOME_CODES = tuple(FLAWS), ("outer_space", "old_separators", "html", "blank_answer", "pii_email")
TRIED = [
    (code, shape)
    for shape in SHAPES
    for code in (ALL_CODES if shape in ("chats", "table") else SOME_CODES)
    if shape != "japanese" or code == "blank_answer"  # its templates need a process: once is enough
]


@pytest.mark.parametrize(("code", "shape"), TRIED)
def test_a_tip_about_a_text_can_be_followed(tmp_path: Path, code: str, shape: str) -> None:
    """Ready chats, ShareGPT, preferences and tables: with the setting that the tip names nothing is left."""
    config = write(tmp_path, shape, code)
    before = found(config)
    assert code in before
    follow(config, str(before[code].hint))
    after = found(config)
    assert code not in after, after[code].message
    assert not [one for one in after if one not in before and one != "masked"], after


def test_a_tip_keeps_what_is_set_already(tmp_path: Path) -> None:
    """Lists and mappings that the experiment has are part of what the tip says."""
    config = write(tmp_path, "chats", "outer_space", {"clean": ["newlines"]})
    assert "`data.clean: [newlines, trim]`" in str(found(config)["outer_space"].hint)
    config = write(tmp_path, "chats", "pii_email", {"pii": {"phone": "mask"}})
    assert "`data.pii: {phone: mask, email: mask}`" in str(found(config)["pii_email"].hint)


def test_a_finding_names_the_place_in_the_users_row(tmp_path: Path) -> None:
    """The index of a message is the row's, a table's place is its column, before a system prompt is added."""
    named = {}
    for shape in SHAPES.keys() - {"japanese"}:
        message = found(write(tmp_path, shape, "outer_space"))["outer_space"].message
        named[shape] = message.partition(": ")[0]
    assert named == {
        "chats": "messages[1].content",
        "system": "messages[1].content",
        "sharegpt": "conversations[1].value",
        "dpo": "preferred_output[0].content",
        "table": "Answer",
        "dpo table": "good",
    }


def test_a_wrong_encoding_of_the_source_is_what_the_tip_corrects(tmp_path: Path) -> None:
    """A file of UTF-8 that the source calls cp1252 is read as UTF-8 once the tip is followed."""
    config = write(tmp_path, "chats", "outer_space")
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text("utf-8").replace("In hall", "In the café of hall"), "utf-8")
    document = yaml.safe_load(config.read_text("utf-8"))
    document["data"]["sources"][0]["encoding"] = "cp1252"
    config.write_text(yaml.safe_dump(document), "utf-8")
    tip = str(found(config)["mojibake"].hint)
    assert "`encoding: utf-8` on the source" in tip
    follow(config, tip)
    assert "mojibake" not in found(config)


def test_what_is_lost_is_not_promised_to_come_back(tmp_path: Path) -> None:
    """Where characters are gone the tip names the only way: a new export, or a correction by hand."""
    config = write(tmp_path, "chats", "outer_space")
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text("utf-8").replace("In hall", "In the caf\ufffd of hall"), "utf-8")
    assert "by hand" in str(found(config)["mojibake"].hint)


USER, ANSWER = chat("Where is hall 3?", "Upstairs on the left.")
FIND = {"name": "find", "parameters": {"type": "object", "properties": {"hall": {"type": "integer"}}}}
TOOL = {"type": "function", "function": FIND}
FOUND = {"role": "tool", "tool_call_id": "c1", "content": "left"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://pool.example/plan.png"}}


def call(**changes: Any) -> dict[str, Any]:
    """Return an assistant's call of a tool."""
    function = {"name": "find", "arguments": '{"hall": 3}', **changes}
    return {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


def messages(*said: Any, **more: Any) -> dict[str, Any]:
    """Return a chat."""
    return {"messages": list(said), **more}


def called(one: Any, answer: Any = FOUND, tools: Any = (TOOL,)) -> dict[str, Any]:
    """Return a chat with a call and its answer."""
    return messages(USER, one, *([answer] if answer else []), ANSWER, tools=list(tools))


# what the tip of each code tells to do by hand: part of the tip, a row before, and the row after that
BY_HAND: Mapping[str, tuple[str, dict[str, Any], dict[str, Any] | None]] = {
    "empty_messages": ("at least a user message", messages(), messages(USER, ANSWER)),
    "message_shape": ('{"role": "user"', messages("Where?", ANSWER), messages(USER, ANSWER)),
    "role": ("user", messages({**USER, "role": "narrator"}, ANSWER), messages(USER, ANSWER)),
    "unknown_key": ("Delete it", messages({**USER, "time": "9"}, ANSWER), messages(USER, ANSWER)),
    "content_type": ("as text", messages({**USER, "content": 3}, ANSWER), messages(USER, ANSWER)),
    "content_part": (
        '{"type": "text"',
        messages({**USER, "content": [{"type": "txt", "text": "Where?"}]}, ANSWER),
        messages({**USER, "content": [{"type": "text", "text": "Where?"}]}, ANSWER),
    ),
    "image_url": (
        '"image_url": {"url"',
        messages({**USER, "content": [{**IMAGE, "image_url": "https://pool.example/plan.png"}]}, ANSWER),
        messages({**USER, "content": [IMAGE]}, ANSWER),
    ),
    "image_role": (
        "user messages only",
        messages(USER, {**ANSWER, "content": [IMAGE]}),
        messages({**USER, "content": [IMAGE]}, ANSWER),
    ),
    "empty_content": ("delete the row", messages(USER, {**ANSWER, "content": " "}), None),
    "weight": ("Use 0", messages(USER, {**ANSWER, "weight": 2}), messages(USER, {**ANSWER, "weight": 1})),
    "name": ("delete it", messages({**USER, "name": 3}, ANSWER), messages(USER, ANSWER)),
    "late_system": (
        "messages first",
        messages(USER, {"role": "system", "content": "Be short."}, ANSWER),
        messages({"role": "system", "content": "Be short."}, USER, ANSWER),
    ),
    "missing_assistant": ("Add the assistant's answer", messages(USER), messages(USER, ANSWER)),
    "last_not_assistant": ("End the row", messages(USER, ANSWER, USER), messages(USER, ANSWER)),
    "nothing_to_learn": (
        "Remove `weight`",
        messages(USER, {**ANSWER, "weight": 0}),
        messages(USER, ANSWER),
    ),
    "tool_schema": (
        "must describe an object",
        messages(USER, ANSWER, tools=[{**TOOL, "function": {**FIND, "parameters": {"type": "array"}}}]),
        messages(USER, ANSWER, tools=[TOOL]),
    ),
    "duplicate_tool": (
        "unique name",
        messages(USER, ANSWER, tools=[TOOL, TOOL]),
        messages(USER, ANSWER, tools=[TOOL]),
    ),
    "undeclared_function": ("fix the name", called(call(name="fnd")), called(call())),
    "tool_arguments": ("a JSON object", called(call(arguments="{hall: 3}")), called(call())),
    "arguments_schema": ("Fix the value", called(call(arguments='{"hall": "3"}')), called(call())),
    "unanswered_call": ("Add a tool message", called(call(), None), called(call())),
    "placeholder": ("delete the row", messages(USER, {**ANSWER, "content": "Dear [NAME], upstairs."}), None),
    "image_token": (
        "delete the sign",
        messages({**USER, "content": "<image>Where is hall 3?"}, ANSWER),
        messages(USER, ANSWER),
    ),
}


@pytest.mark.parametrize("code", BY_HAND)
def test_a_tip_that_names_an_edit_by_hand_is_right(tmp_path: Path, code: str) -> None:
    """The edit that the tip describes makes the row one that is fine, or leaves it out."""
    says, before, after = BY_HAND[code]
    config = write(tmp_path, "chats", "outer_space")
    path = tmp_path / "rows.jsonl"
    sound = [line for line in path.read_text("utf-8").splitlines() if "swimming" in line]
    path.write_text("\n".join([*sound, json.dumps(before)]), "utf-8")
    assert says in str(found(config)[code].hint)
    path.write_text("\n".join([*sound, *([json.dumps(after)] if after else [])]), "utf-8")
    left = found(config).keys() - {"few_examples", "system_mix", "unsupported_by_target"}
    assert not left


@pytest.mark.parametrize(
    ("code", "row"),
    [
        (
            "legacy_functions",
            messages(
                USER,
                {"role": "assistant", "function_call": {"name": "find", "arguments": "{}"}},
                {"role": "function", "name": "find", "content": "left"},
                ANSWER,
                functions=[FIND],
            ),
        ),
        ("sharegpt", SHAPES["sharegpt"]("Where is hall 3?", "Upstairs.")),
    ],
)
def test_a_tip_about_other_forms_can_be_followed(tmp_path: Path, code: str, row: dict[str, Any]) -> None:
    """The setting that the tip names turns older and foreign forms into chats."""
    config = write(tmp_path, "chats", "outer_space")
    path = tmp_path / "rows.jsonl"
    sound = [line for line in path.read_text("utf-8").splitlines() if "swimming" in line]
    path.write_text("\n".join([*sound, json.dumps(row)]), "utf-8")
    follow(config, str(found(config)[code].hint))
    assert not found(config).keys() - {"few_examples", "unsupported_by_target"}


def test_a_condition_for_empty_cells_names_the_column_as_it_is(tmp_path: Path) -> None:
    """Blank cells of a column whose name is no identifier are left out by the `where` of the tip."""
    config = write(tmp_path, "japanese", "blank_answer")
    path = tmp_path / "rows.csv"
    path.write_text(path.read_text("utf-8").replace("N/A", " "), "utf-8")
    tip = str(found(config)["empty_content"].hint)
    assert "row['回答 内容']" in tip
    follow(config, tip)
    assert not found(config).keys() - {"few_examples"}


def test_cleaning_is_an_input_only_when_it_is_set(tmp_path: Path) -> None:
    """An experiment without `clean` keeps the inputs that it had; a rule of it makes the files again."""
    plain = prepare_inputs(build_experiment(read_document(write(tmp_path, "chats", "outer_space"))))
    clean = write(tmp_path, "chats", "outer_space", {"clean": ["trim", "newlines"]})
    cleaned = prepare_inputs(build_experiment(read_document(clean)))
    assert {*cleaned} - {*plain} == {"clean", "clean version"}
    assert {name: cleaned[name] for name in plain} == plain


def test_cleaning_leaves_what_is_meant(tmp_path: Path) -> None:
    """Tags in an answer about HTML, code, and a text of which nothing would be left stay as they are."""
    rows = [
        ("Which tag makes a paragraph in HTML?", "<p>Text</p> makes one."),
        ("When does it open?", "<p>Use `<b>` no more.</p>"),
        ("Where is it?", "<br>"),
        ("Is it Tom?", "  Tom &amp; Jerry.\r\n"),
    ]
    made = [
        Cleaner(("html", "trim", "newlines")).cleaned(TrainingRow({"messages": chat(*row)}, None)).example
        for row in rows
    ]
    assert [one["messages"][1]["content"] for one in made] == [
        "<p>Text</p> makes one.",
        "Use `<b>` no more.",
        "<br>",
        "Tom & Jerry.",
    ]
