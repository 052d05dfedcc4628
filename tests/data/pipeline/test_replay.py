"""General rows mixed into the training file: which, how many, where, and what they leave alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.conftest import MakeExperiment, chat
from ftrun import data
from ftrun.data.general import questions
from ftrun.data.pipeline import gathering, inputs, replaying
from ftrun.data.pipeline.checking import CheckResult
from ftrun.data.pipeline.own_rows import own_lines
from ftrun.data.pipeline.samples import samples
from ftrun.data.quality.overlap import PromptIndex
from ftrun.errors import DataError
from ftrun.experiment.model import (
    EvalPrompt,
    Evaluation,
    Experiment,
    Prompt,
    Replay,
    Split,
    Template,
    Train,
)
from ftrun.scoring.expect import judge

Chats = Callable[[Iterable[int]], str]


def mixing(experiment: Experiment, share: float, path: Path | None = None) -> Experiment:
    """Return the experiment with general rows."""
    return replace(experiment, data=replace(experiment.data, replay=Replay(share=share, path=path)))


def lines_of(folder: Path, split: str = "train") -> list[str]:
    """Return the lines of a prepared file."""
    return (folder / f"{split}.jsonl").read_text("utf-8").splitlines()


def general_lines(language: str) -> list[str]:
    """Return the rows that ship."""
    path = replaying.FOLDER / f"replay-{language}.jsonl"
    return [
        json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"))
        for line in path.read_bytes().splitlines()
    ]


def codes_of(result: CheckResult) -> dict[str, str]:
    """Return the messages of notes and warnings, by code."""
    return {one.code: one.message for one in (*result.notes, *result.warnings)}


@pytest.fixture
def english(make: MakeExperiment) -> Callable[..., Experiment]:
    """Return a function that gives an experiment over a number of English rows."""

    def made(number: int, **how: Any) -> Experiment:
        rows = (
            chat(f"What is thing {one} made of?", f"The thing {one} is made of wood.")
            for one in range(number)
        )
        return make({"a.jsonl": "".join(rows)}, **how)

    return made


def test_a_share_of_the_training_file_is_general(english: Any, tmp_path: Path) -> None:
    """The user's rows keep their order; the others stand among them, not at an end."""
    experiment = english(90)
    data.prepare(experiment, tmp_path / "without")
    prepared = data.prepare(mixing(experiment, 0.1), tmp_path / "with")
    own, mixed = lines_of(tmp_path / "without"), lines_of(tmp_path / "with")
    assert len(mixed) == prepared.files["train"].examples == 100
    assert [line for line in mixed if line in own] == own
    added = {index: line for index, line in enumerate(mixed) if line not in own}
    assert len(added) == 10 and {
        json.dumps(json.loads(one), ensure_ascii=False, separators=(",", ":")) for one in added.values()
    } <= {*general_lines("en")}
    assert max(added) - min(added) > 40
    assert prepared.rows == 90 and prepared.duplicates == 0
    assert list(own_lines(tmp_path / "with", "train")) == [f"{line}\n".encode() for line in own]


def test_held_out_files_stay_as_they_are(english: Any, tmp_path: Path) -> None:
    """Validation and test are the same with and without; the system prompt isn't put before general rows."""
    rows = "q,a\n" + "".join(f"What is thing {one} made of?,It is made of wood {one}.\n" for one in range(60))
    (tmp_path / "rows.csv").write_text(rows)
    prompt = Prompt(
        system=Template(text="You are a pirate."),
        user=Template(text="{{ q }}"),
        assistant=Template(text="{{ a }}"),
    )
    experiment = english(0, paths=["rows.csv"], prompt=prompt, split=Split(validation=5, test=7, seed=3))
    data.prepare(experiment, tmp_path / "without")
    data.prepare(mixing(experiment, 0.25), tmp_path / "with")
    for split in ("validation", "test"):
        assert lines_of(tmp_path / "with", split) == lines_of(tmp_path / "without", split)
    roles = [json.loads(line)["messages"][0]["role"] for line in lines_of(tmp_path / "with")]
    assert (roles.count("system"), roles.count("user")) == (48, 16)


def test_what_is_there_already_or_asked_later_is_not_mixed_in(make: MakeExperiment, tmp_path: Path) -> None:
    """A row equal to a user's, one that a held-out row asks, and one that an eval prompt nearly asks."""
    general = "".join(
        chat(f"How do people say {word}?", f"They say it like {word}.") for word in ("one", "two")
    )
    general += chat("Which tree grows tallest of all trees in the world?", "The redwood.")
    general += chat("Name a river in Spain.", "The Ebro.") + chat("Name a river in Spain.", "The Ebro.")
    own = "".join(
        chat(f"What is thing {one} made of?", f"The thing {one} is made of wood.") for one in range(20)
    )
    own += chat("How do people say one?", "They say it like one.")
    held_out = chat("how do people say TWO", "Like this.")
    prompts = (EvalPrompt(id="tree", user="Which tree grows tallest of all the trees in the world?"),)
    experiment = make(
        {"a.jsonl": own, "test.jsonl": held_out, "general.jsonl": general},
        paths=["a.jsonl"],
        evaluation=Evaluation(prompts=prompts),
    )
    test = replace(experiment.data.sources[0], path="test.jsonl")
    experiment = replace(experiment, data=replace(experiment.data, split=Split(test=(test,))))
    folder = tmp_path / "run"
    data.prepare(mixing(experiment, 0.5, tmp_path / "general.jsonl"), folder)
    result = data.check(mixing(experiment, 0.5, tmp_path / "general.jsonl"), folder)
    assert len(lines_of(folder)) == 22
    assert sum("Ebro" in line for line in lines_of(folder)) == 1
    found = codes_of(result)
    assert found["replay"] == "general rows mixed into the training file: 1 (4.5% of its 22 rows)"
    assert found["replay_few"] == "a share of 0.5 needs 21 general rows; those that can be used, each once: 1"
    assert not {"leak", "duplicates", "recall"} & found.keys()


def test_the_language_of_the_data_decides(
    english: Any, make: MakeExperiment, chats: Chats, tmp_path: Path
) -> None:
    """English rows for English data, Japanese and English ones for Japanese data."""
    data.prepare(mixing(english(40), 0.9), tmp_path / "en")
    files = {sample.file for sample in samples(tmp_path / "en", tmp_path)}
    assert "ftrun:replay-en.jsonl" in files and "ftrun:replay-ja.jsonl" not in files
    japanese = make(
        {
            "ja.jsonl": "".join(
                chat(f"{one}番の部屋はどこですか。", f"{one}番の部屋は二階にあります。") for one in range(40)
            )
        }
    )
    data.prepare(mixing(japanese, 0.9), tmp_path / "ja")
    files = {sample.file for sample in samples(tmp_path / "ja", tmp_path)}
    assert {"ftrun:replay-en.jsonl", "ftrun:replay-ja.jsonl"} < files


def test_general_rows_are_counted_and_their_places_known(english: Any, tmp_path: Path) -> None:
    """In tokens and cost; counted again from the files alone it is the same."""
    experiment, folder = mixing(english(90), 0.2), tmp_path / "run"
    data.prepare(experiment, folder)
    first = data.check(experiment, folder)
    train = first.files["train"]
    assert train is not None and train.examples == len(lines_of(folder)) == 113
    without = data.examine(english(90)).files["train"]
    assert without is not None and train.tokens["sum"] > without.tokens["sum"]
    (folder / "tally.json").unlink()
    assert data.check(experiment, folder).as_dict() == first.as_dict()
    assert data.examine(experiment).as_dict() == first.as_dict()
    for sample in samples(folder, tmp_path, "train"):
        line = (
            (replaying.FOLDER / "replay-en.jsonl" if sample.general else tmp_path / "a.jsonl")
            .read_bytes()
            .splitlines()[sample.line - 1]
        )
        assert json.loads(line) == sample.example
        assert sample.general == (sample.file == "ftrun:replay-en.jsonl")
    (folder / "sources.jsonl").unlink()
    lost = data.check(experiment, folder).files["train"]
    assert lost is not None and lost.examples == 113


def test_weighted_rows_count_as_often_as_they_are_written(english: Any, tmp_path: Path) -> None:
    """The share is one of the file."""
    experiment = mixing(english(40, source={"weight": 2}), 0.2)
    folder = tmp_path / "run"
    data.prepare(experiment, folder)
    assert len(lines_of(folder)) == 100
    first = data.check(experiment, folder).as_dict()
    (folder / "tally.json").unlink()
    assert data.check(experiment, folder).as_dict() == first


def test_any_number_of_processes_writes_the_same(
    english: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are the same byte by byte, with workers and without."""
    general = "".join(chat(f"Say number {one} aloud.", f"That is number {one}.") for one in range(3000))
    (tmp_path / "general.jsonl").write_text(general)
    experiment = mixing(english(3000), 0.3, tmp_path / "general.jsonl")
    data.prepare(experiment, tmp_path / "alone")
    monkeypatch.setattr(gathering, "LARGE", 0)
    monkeypatch.setattr("ftrun.data.pipeline.workers.ALONE", 1)
    monkeypatch.setattr("ftrun.data.pipeline.workers.worker_count", lambda: 2)
    data.prepare(experiment, tmp_path / "crew")
    for name in ("train.jsonl", "sources.jsonl", "tally.json"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "crew" / name).read_bytes()
    assert len(lines_of(tmp_path / "crew")) == 4286


def test_an_added_row_changes_few_general_ones(english: Any, tmp_path: Path) -> None:
    """Which are used depends on their content, not on the number of rows."""
    data.prepare(mixing(english(90), 0.1), tmp_path / "one")
    data.prepare(mixing(english(91), 0.1), tmp_path / "two")
    one, two = ({*lines_of(tmp_path / name)} for name in ("one", "two"))
    assert len(one - two) == 0


def test_a_file_of_general_rows_is_checked_like_data(
    make: MakeExperiment, chats: Chats, tmp_path: Path
) -> None:
    """A broken row is an error at its line; a secret in it is found; a missing file has its place."""
    own = {"a.jsonl": chats(range(20))}
    broken = make(
        {**own, "general.jsonl": chat("a question", "an answer") + '{"messages": []}\n'}, paths=["a.jsonl"]
    )
    with pytest.raises(DataError) as caught:
        data.prepare(mixing(broken, 0.1, tmp_path / "general.jsonl"), tmp_path / "run")
    assert caught.value.problem.line == 2 and str(caught.value.problem.file).endswith("general.jsonl")
    secret = chat("How do I write to the office?", "Write to taro.yamada@kaisha-mail.co.jp today.")
    leaking = make({**own, "general.jsonl": secret}, paths=["a.jsonl"])
    found = data.examine(mixing(leaking, 0.1, tmp_path / "general.jsonl"))
    assert [one.file for one in found.warnings if one.code == "pii_email"] == [
        str(tmp_path / "general.jsonl")
    ]
    with pytest.raises(DataError) as caught:
        data.prepare_inputs(mixing(broken, 0.1, tmp_path / "missing.jsonl"))
    assert caught.value.code == "missing_file"


def test_rows_that_ship_are_for_supervised_training(make: MakeExperiment) -> None:
    """Other methods need a file of their own rows."""
    asked = {"messages": [{"role": "user", "content": "a"}]}
    sides = {
        name: [{"role": "assistant", "content": text}]
        for name, text in (("preferred_output", "good"), ("non_preferred_output", "bad"))
    }
    rows = "".join(
        json.dumps({"input": {"messages": [{"role": "user", "content": f"a{one}"}]}, **sides}) + "\n"
        for one in range(12)
    )
    experiment = make(
        {"a.jsonl": rows, "general.jsonl": json.dumps({"input": asked, **sides}) + "\n"},
        paths=["a.jsonl"],
        train=Train(method="dpo"),
    )
    found = data.examine(mixing(experiment, 0.1))
    assert [one.code for one in found.errors] == ["replay_method"]
    own = data.examine(mixing(experiment, 0.1, experiment.project / "general.jsonl"))
    assert not own.errors and "replay" in codes_of(own)


def test_only_a_file_with_general_rows_has_other_inputs(english: Any, tmp_path: Path) -> None:
    """What was prepared before there was `replay` is still what it was; the share and the rows count."""
    experiment = english(20)
    plain, mixed = data.prepare_inputs(experiment), data.prepare_inputs(mixing(experiment, 0.1))
    assert plain.keys() == mixed.keys() - {"replay", "general version"}
    assert mixed["replay"] == [0.1, []]
    (tmp_path / "general.jsonl").write_text(chat("a", "b"))
    first = data.prepare_inputs(mixing(experiment, 0.1, tmp_path / "general.jsonl"))
    (tmp_path / "general.jsonl").write_text(chat("a", "c"))
    assert data.prepare_inputs(mixing(experiment, 0.1, tmp_path / "general.jsonl")) != first


def test_the_rows_that_ship_have_one_version() -> None:
    """Changed rows make other training files: raise GENERAL_VERSION and put the new hash here."""
    rows = b"".join((replaying.FOLDER / f"replay-{one}.jsonl").read_bytes() for one in ("en", "ja"))
    assert (inputs.GENERAL_VERSION, hashlib.sha256(rows).hexdigest()[:16]) == (1, "143013077cf025cc")


def test_no_general_row_asks_what_the_general_questions_ask() -> None:
    """Exactly or nearly: a model that was trained on them would not show what it forgot."""
    index = PromptIndex([one for _, one in questions.shipped()])
    rows = [json.loads(line) for name in ("en", "ja") for line in general_lines(name)]
    assert len(rows) > 200
    for row in rows:
        assert index.exact(row) is None and not list(index.near(row)), row


def test_the_general_set_is_sound() -> None:
    """Ids, questions and tags: every ability has several questions in both languages."""
    listed = list(questions.shipped())
    for language in ("en", "ja"):
        mine = [one for of, one in listed if of == language]
        tags = [one.tags for one in mine]
        assert 50 <= len(mine) <= 60 and all(tag[0] == language for tag in tags)
        assert all(tags.count(tag) >= 3 for tag in tags)
    assert len({one.id for _, one in listed}) == len({one.user for _, one in listed}) == len(listed)


def test_general_questions_pass_what_is_right_and_no_parrot() -> None:
    """Each condition holds for the answer beside it; a model that repeats the question passes none."""
    entries = [json.loads(line) for line in questions.SHIPPED.read_text("utf-8").splitlines()]
    for entry in entries:
        assert judge(entry["expect"], entry["answer"]).passed, entry["id"]
        assert not judge(entry["expect"], entry["user"]).passed, entry["id"]


def test_general_questions_that_are_in_the_training_data_are_noted(
    make: MakeExperiment, tmp_path: Path
) -> None:
    """Those that ship and those of a file, beside the eval prompts."""
    rows = "".join(chat(f"What is thing {one} made of?", f"It is made of wood {one}.") for one in range(12))
    rows += chat("What is the capital of France?", "Paris.") + chat("Who sings?", "The bird.")
    own = (EvalPrompt(id="singer", user="who sings"),)
    for evaluation, field in (
        (Evaluation(general=True), "eval.general.capital-france"),
        (Evaluation(general=True, general_prompts=own), "eval.general.singer"),
    ):
        found = data.examine(make({"a.jsonl": rows}, evaluation=evaluation))
        (message,) = [one.message for one in found.notes if one.code == "recall"]
        assert message.startswith(f"{field}: this question is in the training data")
        assert found.recall == ()
