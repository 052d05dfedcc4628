"""What is asked: only rows of today's training part, in a stable order, each request told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftrun.augment.requests import SHOWN, AskedModel, requests, seeds_needed
from ftrun.augment.row_texts import row_texts_of
from ftrun.augment.seeds import training_seeds
from ftrun.data import prepare
from ftrun.data.types import Mark, marked, row_digest
from ftrun.errors import ConfigError

from .conftest import CONFIG, Build

WHO = AskedModel(target="local", model="rehearsal", origin="local")


def test_seeds_are_rows_of_the_training_part_alone(build: Build, tmp_path: Path) -> None:
    """No held-out row is reworded, and no row that was generated."""
    row = {"q": "質問0は？", "a": "答え0です。"}
    more = json.dumps(marked({**row, "q": "質問零は？"}, Mark("x", row_digest(row))), ensure_ascii=False)
    (tmp_path / "more.jsonl").write_text(more + "\n", encoding="utf-8")
    experiment = build(CONFIG.replace("rows.csv}", "rows.csv}, {path: more.jsonl}"))
    seeds, questions = training_seeds(experiment, row_texts_of(experiment), 100)
    prepare(experiment, tmp_path / "out")
    lines = (tmp_path / "out/train.jsonl").read_text().splitlines()
    trained = {json.loads(line)["messages"][0]["content"] for line in lines}
    assert {seed.fields["q"] for seed in seeds} == trained - {"質問零は？"}
    assert len(seeds) == 9
    for number in range(14):
        assert not questions.add(f"質問{number}は？"), "held-out questions are known, so never proposed"
    assert not questions.add("一番は?"), "so are the eval prompts"


def test_added_rows_do_not_change_what_was_asked(build: Build, tmp_path: Path) -> None:
    """The order of the seeds depends on each row alone, so a rerun asks for the new ones only."""
    experiment = build(CONFIG.replace("validation: 2, test: 3, seed: 1", "seed: 1"))
    row_texts = row_texts_of(experiment)
    first, _ = training_seeds(experiment, row_texts, 100)
    with (tmp_path / "rows.csv").open("a", encoding="utf-8") as file:
        file.write("新しい質問？,新しい答え。\n")
    second, _ = training_seeds(experiment, row_texts, 100)
    assert [seed.digest for seed in second if "新" not in seed.fields["q"]] == [seed.digest for seed in first]


def test_requests_are_as_many_as_wanted_and_all_different(build: Build) -> None:
    """max_rows caps the sum, per_row each request; rows that are shown again get another sampling seed."""
    for kind in ("paraphrase", "new"):
        sets = (f"data.augment.kind={kind}", "data.augment.max_rows=7", "data.augment.per_row=3")
        experiment = build(sets=sets)
        row_texts = row_texts_of(experiment)
        seeds, _ = training_seeds(experiment, row_texts, seeds_needed(experiment.data.augment))
        made = requests(experiment, row_texts, seeds, WHO)
        assert [one.number for one in made] == [3, 3, 1]
        assert len({one.key for one in made}) == 3
        assert all(len(one.seeds) == (1 if kind == "paraphrase" else SHOWN) for one in made)
        assert made == requests(experiment, row_texts, seeds, WHO)


def test_the_instruction_is_in_the_language_of_the_rows_and_can_be_ones_own(
    build: Build, tmp_path: Path
) -> None:
    """Japanese rows get the Japanese one; a template sees the row as data."""
    experiment = build()
    row_texts = row_texts_of(experiment)
    seeds, _ = training_seeds(experiment, row_texts, 1)
    instruction, asked = requests(experiment, row_texts, seeds, WHO)[0].messages
    assert "別の言い方を2個" in instruction["content"]
    assert seeds[0].fields["a"] in instruction["content"]
    assert asked == {"role": "user", "content": seeds[0].fields["q"]}
    (tmp_path / "ask.j2").write_text("{{ number }} of {{ row.q }} / {{ answer }}", encoding="utf-8")
    own = build(sets=("data.augment.prompt=ask.j2",))
    content = requests(own, row_texts, seeds, WHO)[0].messages[0]["content"]
    assert content == f"2 of {seeds[0].fields['q']} / {seeds[0].fields['a']}"


def test_rows_are_never_rendered_as_templates(build: Build, tmp_path: Path) -> None:
    """What looks like a template in a row reaches the model as it stands."""
    (tmp_path / "rows.csv").write_text("q,a\n" + "{{ 7 * 7 }}{% raw %},{{ x }}\n" * 1, encoding="utf-8")
    experiment = build(CONFIG.replace("  split: {validation: 2, test: 3, seed: 1}\n", ""))
    seeds, _ = training_seeds(experiment, row_texts_of(experiment), 1)
    instruction, asked = requests(experiment, row_texts_of(experiment), seeds, WHO)[0].messages
    assert asked["content"] == "{{ 7 * 7 }}{% raw %}"
    assert "{{ x }}" in instruction["content"]


def test_what_is_masked_for_training_is_masked_for_whoever_is_asked(build: Build, tmp_path: Path) -> None:
    """Neither the request nor the review file holds what the training file may not."""
    row = "連絡先は？,taro@example.jp です,090-1234-5678\n"
    (tmp_path / "rows.csv").write_text("q,a,note\n" + row, encoding="utf-8")
    one = CONFIG.replace("  split: {validation: 2, test: 3, seed: 1}\n", "  pii: mask\n")
    experiment = build(one)
    [seed], _ = training_seeds(experiment, row_texts_of(experiment), 1)
    assert (seed.fields["a"], seed.values["note"]) == ("[EMAIL] です", "[PHONE]")
    content = requests(experiment, row_texts_of(experiment), [seed], WHO)[0].messages[0]["content"]
    assert "taro" not in content


def test_a_wrong_template_names_its_place(build: Build) -> None:
    """A misspelt name is told like one in a prompt."""
    experiment = build(CONFIG.replace("  sources:", '  augment: {prompt: "{{ numbr }}"}\n  sources:'))
    seeds, _ = training_seeds(experiment, row_texts_of(experiment), 1)
    with pytest.raises(ConfigError) as caught:
        requests(experiment, row_texts_of(experiment), seeds, WHO)
    assert caught.value.problem.line == 6
    assert caught.value.problem.hint == "Did you mean `number`? Known names: answer, number, question, row."


def test_the_question_is_the_column_of_the_users_template(build: Build) -> None:
    """Where it names several, the experiment says which; `row[...]` counts, `vars` do not."""
    several = CONFIG.replace('"{{ q }}"', "'{{ tone }}{{ row[\"q\"] }}{{ c }}'").replace(
        "prompt: {", "prompt: {vars: {tone: x}, "
    )
    with pytest.raises(ConfigError) as caught:
        row_texts_of(build(several))
    assert "c, q" in str(caught.value)
    row_texts = row_texts_of(build(several, sets=("data.augment.question=q",)))
    assert (row_texts.question, row_texts.names, row_texts.answers) == ("q", ("q", "c", "a"), ("a",))
    with pytest.raises(ConfigError, match="no template of a user message"):
        row_texts_of(build(several, sets=("data.augment.question=z",)))


def test_a_chat_is_reworded_in_its_last_question(build: Build) -> None:
    """Of a ready chat the turns before it stay; one without a text to reword is not a seed."""
    chats = CONFIG.replace('prompt: {user: "{{ q }}", assistant: "{{ a }}"}\n', "")
    row_texts = row_texts_of(build(chats))
    turns = [("system", "s"), ("user", "u"), ("assistant", "x"), ("user", "v"), ("assistant", "y")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns], "tools": []}
    fields = row_texts.fields_of(row)
    assert fields == {"question": "v", "answer": "y"}
    new = row_texts.row(row_texts.rest_of(row), {**fields, "question": "w"})
    assert [one["content"] for one in new["messages"]] == ["s", "u", "x", "w", "y"]
    assert new["tools"] == []
    assert row["messages"][3]["content"] == "v"
    for wrong in ([*row["messages"][:4]], [{"role": "assistant", "content": "y"}], "no", [1]):
        assert row_texts.fields_of({"messages": wrong}) is None
