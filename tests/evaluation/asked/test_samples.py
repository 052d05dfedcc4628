"""What is asked: prompts, the test split, training questions, the general-ability set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.errors import DataError, UserError
from ftrun.evaluation.asked.samples import Collected, collect
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import EvalPrompt, Evaluation, Experiment, Prompt, Split, Template, Train
from ftrun.scoring.expect import judge
from ftrun.scoring.types import Sample

Row = Mapping[str, Any]
Collect = Callable[..., Collected]
TOOL = {"type": "function", "function": {"name": "rain", "parameters": {"type": "object"}}}


@pytest.fixture
def toy(project: Path) -> Experiment:
    """Return the experiment of the project, with a test split of four rows."""
    experiment = build_experiment(read_document(project / "configs/toy.yaml"))
    split = Split(validation=2, test=4, seed=1)
    return replace(experiment, data=replace(experiment.data, split=split), evaluation=Evaluation())


@pytest.fixture
def prepared(toy: Experiment, tmp_path: Path) -> Path:
    """Return a folder with the prepared files of the experiment."""
    folder = tmp_path / "run"
    data.prepare(toy, folder)
    return folder


def asking(experiment: Experiment, **evaluation: Any) -> Experiment:
    """Return the experiment with these questions."""
    return replace(experiment, evaluation=Evaluation(**evaluation))


@pytest.fixture
def collect_rows(toy: Experiment, tmp_path: Path) -> Collect:
    """Return a function that gives what is asked of ready rows: held out, or to train on."""

    def collected(
        test: Sequence[Row] = (), train: Sequence[Row] = (), *, method: Any = "supervised", **asked: Any
    ) -> Collected:
        folder = tmp_path / "rows"
        folder.mkdir(exist_ok=True)
        for name, rows in (("test", test), ("train", train)):
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        experiment = replace(toy, prompt=Prompt(), train=Train(method=method))
        return collect(asking(experiment, **{"test_set": True, **asked}), folder)

    return collected


def chat(question: str, answer: str, system: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a training row."""
    head = [] if system is None else [{"role": "system", "content": system}]
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": [*head, *turns], **more}


def only(found: Collected) -> Sample:
    """Return the one sample."""
    (sample,) = found.samples
    return sample


def test_a_prompt_gets_the_system_prompt_of_the_experiment(toy: Experiment, prepared: Path) -> None:
    """One that brings its own, none, or whole messages keeps what it brings."""
    spoken = ({"role": "system", "content": "Sing."}, {"role": "user", "content": "d"})
    prompts = (
        EvalPrompt(id="a", user="a", tags=("x",), reference="r", group="g", tools=(TOOL,)),
        EvalPrompt(id="b", user="b", system="Own.", own_system=True),
        EvalPrompt(id="c", user="c", own_system=True),
        EvalPrompt(id="d", messages=spoken),
        EvalPrompt(id="e", messages=({"role": "user", "content": "e"},), expect={"contains": "e"}),
    )
    a, b, c, d, e = collect(asking(toy, prompts=prompts), prepared).samples
    assert (a.system, a.own_system, a.tags, a.reference, a.cluster) == (
        "あなたは短く答えます。",
        False,
        ("x",),
        "r",
        "g",
    )
    assert a.tools == (TOOL,) and a.turns == ({"role": "user", "content": "a"},) and a.set == "prompts"
    assert [(one.system, one.own_system) for one in (b, c, d, e)] == [
        ("Own.", True),
        (None, True),
        ("Sing.", True),
        (None, True),
    ]
    assert d.messages == spoken and e.expect == {"contains": "e"}


def test_a_prompt_that_is_in_the_training_data_is_recall(toy: Experiment, prepared: Path) -> None:
    """It belongs to another set, so that the main numbers are about new questions."""
    prompts = [EvalPrompt(id=str(number), user=f"質問{number}は何ですか？") for number in range(14)]
    sets = [
        one.set
        for one in collect(
            asking(toy, prompts=(*prompts, EvalPrompt(id="new", user="新しい質問"))), prepared
        ).samples
    ]
    assert sets.count("recall") == 8 and sets[-1] == "prompts"


def test_the_test_split_is_asked_against_its_references(toy: Experiment, prepared: Path) -> None:
    """The last answer is the reference, and the row's system prompt may be replaced."""
    samples = collect(asking(toy, test_set=True), prepared).samples
    assert len(samples) == 4
    for one in samples:
        number = one.turns[0]["content"].removeprefix("質問").removesuffix("は何ですか？")
        assert one.reference == f"答え{number}です。" and one.set == "test" and one.id.startswith("test:")
        assert (one.system, one.own_system, one.cluster) == ("あなたは短く答えます。", False, None)


def test_a_conversation_keeps_what_was_said_before(collect_rows: Collect) -> None:
    """Only the last answer is asked for; weights are for training and aren't sent."""
    said = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "weight": 1},
    ]
    sample = only(collect_rows([{"messages": said}]))
    assert sample.turns == (said[1], {"role": "assistant", "content": "b"}, said[3])
    assert (sample.system, sample.reference) == ("s", "d")


def test_tools_and_calls_of_a_row_are_asked_for(collect_rows: Collect) -> None:
    """The row's tools are offered, and the call in the last answer is expected."""
    calls = [
        {"id": "1", "type": "function", "function": {"name": "rain", "arguments": '{"city": "神戸"}'}},
        {"id": "2", "type": "function", "function": {"name": "rain", "arguments": "broken"}},
    ]
    asked = [{"role": "user", "content": "雨？"}]
    for made, expected in (
        (calls[:1], {"name": "rain", "arguments": {"city": "神戸"}}),
        (calls, [{"name": "rain", "arguments": {"city": "神戸"}}, {"name": "rain"}]),
    ):
        row = {"messages": [*asked, {"role": "assistant", "tool_calls": made}], "tools": [TOOL]}
        sample = only(collect_rows([row]))
        assert sample.expect == {"tool_call": expected} and sample.tools == (TOOL,)
        assert sample.reference is None


def test_rows_of_other_methods_have_references_too(collect_rows: Collect) -> None:
    """The preferred output, a grader's reference answer, and a completion."""
    asked = [{"role": "user", "content": "a"}]
    preference = {
        "input": {"messages": asked},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }
    assert only(collect_rows([preference], method="dpo")).reference == "good"
    for answer, reference in (("42", "42"), ({"x": "猫"}, '{"x": "猫"}'), (7, "7")):
        graded = only(collect_rows([{"messages": asked, "reference_answer": answer}], method="reinforcement"))
        assert graded.reference == reference and graded.turns == tuple(asked)
    assert only(collect_rows([{"messages": asked}], method="reinforcement")).reference is None
    completion = only(collect_rows([{"prompt": "Once", "completion": " upon"}]))
    assert (completion.turns[0]["content"], completion.reference) == ("Once", " upon")


def test_rows_that_can_not_be_asked_are_counted(collect_rows: Collect) -> None:
    """Pictures and rows without an answer are left out, and a note says how many."""
    picture = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://x"}}]
    shown = {"messages": [{"role": "user", "content": picture}, {"role": "assistant", "content": "a cat"}]}
    silent = {"messages": [{"role": "user", "content": "a"}]}
    found = collect_rows([chat("q", "a"), shown, shown, silent])
    assert len(found.samples) == 1
    assert found.notes == (
        "rows of the test split with images, audio or files, which are not asked: 2",
        "rows of the test split without a question or an answer, which are not asked: 1",
    )
    with pytest.raises(DataError, match="none of 1 row of the test split can be asked") as caught:
        collect_rows([shown])
    assert caught.value.code == "empty_test_set" and caught.value.problem.hint


def test_before_anything_is_prepared_no_row_is_asked(toy: Experiment, tmp_path: Path) -> None:
    """A plan may come first: it knows the prompts alone."""
    asked = asking(toy, test_set=True, recall_sample=3, prompts=(EvalPrompt(id="a", user="b"),))
    assert [one.id for one in collect(asked, tmp_path).samples] == ["a"]


def test_ids_stay_when_rows_are_added(collect_rows: Collect) -> None:
    """An id is made of the question alone: not of its place, its answer or its system prompt."""
    first = collect_rows([chat("a", "1"), chat("b", "2")]).samples
    again = collect_rows([chat("c", "3"), chat("a", "4", system="s"), chat("b", "2")]).samples
    assert [one.id for one in again][1:] == [one.id for one in first]
    assert len({one.id for one in again}) == 3


def test_rows_that_ask_the_same_have_ids_of_their_own(collect_rows: Collect) -> None:
    """They belong together: they are one cluster. The first keeps its id."""
    alone = only(collect_rows([chat("a", "1")]))
    first, second, third, other = collect_rows(
        [chat("a", "1"), chat("a", "2"), chat("a", "1"), chat("b", "1")]
    ).samples
    assert first.id == alone.id and len({first.id, second.id, third.id}) == 3
    assert first.cluster and first.cluster == second.cluster == third.cluster and other.cluster is None


def test_rows_of_a_group_are_one_cluster(project: Path, toy: Experiment, tmp_path: Path) -> None:
    """What `data.split.group_by` keeps together is not independent."""
    rows = "".join(f"質問{one}は？,答え{one}。,{one % 4}\n" for one in range(24))
    (project / "configs/data/toy.csv").write_text(f"q,a,user\n{rows}", encoding="utf-8")
    split = Split(test=6, seed=1, group_by=("user",))
    grouped = replace(toy, data=replace(toy.data, split=split))
    data.prepare(grouped, tmp_path / "run")
    samples = collect(asking(grouped, test_set=True), tmp_path / "run").samples
    users = [int(one.turns[0]["content"][2:-2]) % 4 for one in samples]
    assert len(samples) == 6 and len(set(users)) == len({one.cluster for one in samples}) == 1
    (tmp_path / "run/sources.jsonl").unlink()
    lost = collect(asking(grouped, test_set=True), tmp_path / "run").samples
    assert {one.cluster for one in lost} == {None}


def test_a_part_of_the_test_split_is_a_seeded_choice(collect_rows: Collect) -> None:
    """The order stays, and an added row changes little."""
    rows = [chat(f"question {number}", "a") for number in range(40)]
    chosen = [one.id for one in collect_rows(rows, test_set=10).samples]
    whole = [one.id for one in collect_rows(rows).samples]
    assert len(chosen) == 10 and chosen == [one for one in whole if one in chosen]
    more = [one.id for one in collect_rows([*rows, chat("another", "b")], test_set=10).samples]
    assert len(set(chosen) & set(more)) >= 9
    few = collect_rows(rows[:3], test_set=10)
    assert len(few.samples) == 3
    assert few.notes == ("eval.test_set asks for 10 rows: the test split has 3, all are asked",)


def test_training_questions_are_asked_again(collect_rows: Collect) -> None:
    """What was taught is the reference, and a weighted row is asked once."""
    rows = [chat(f"question {number}", f"answer {number}") for number in range(30)]
    found = collect_rows(train=[one for row in rows for one in (row, row)], test_set=False, recall_sample=8)
    assert len({one.id for one in found.samples}) == 8 and not found.notes
    assert found.counts == {"recall": 8}
    for one in found.samples:
        number = one.turns[0]["content"].removeprefix("question ")
        assert one.id.startswith("train:") and one.reference == f"answer {number}"
        assert judge(one.expect, f" ａnswer  {number}\n").passed and not judge(one.expect, "answer").passed
    more = [*rows, chat("another", "b")]
    again = collect_rows(train=more, test_set=False, recall_sample=8).samples
    assert len({one.id for one in found.samples} & {one.id for one in again}) >= 7
    few = collect_rows(train=rows[:3], test_set=False, recall_sample=8)
    assert few.notes == ("eval.recall_sample asks for 8 training questions: only 3 can be asked",)


def test_the_general_set_follows_the_language_of_the_data(
    toy: Experiment, prepared: Path, collect_rows: Collect
) -> None:
    """English data get English questions; Japanese data both; always without the system prompt."""
    both = collect(asking(toy, general=True), prepared).samples
    rows = [chat(f"What is the number {one} called?", "It is a number like others.") for one in range(9)]
    english = collect_rows(train=rows, test_set=False, general=True).samples
    assert 50 <= len(english) < len(both) and {"en", "ja"} == {one.tags[0] for one in both}
    for one in (*english, *both):
        assert one.system is None and one.own_system and one.set == "general"
        assert one.expect and one.id.startswith("general:") and len(one.tags) == 2


def test_a_general_set_of_ones_own_is_asked_without_the_system_prompt(
    toy: Experiment, prepared: Path
) -> None:
    """Unless its questions bring one."""
    own = (EvalPrompt(id="a", user="b"), EvalPrompt(id="c", user="d", system="s", own_system=True))
    first, second = collect(asking(toy, general=True, general_prompts=own), prepared).samples
    assert (first.id, first.system, second.id, second.system) == ("general:a", None, "general:c", "s")


def test_a_template_that_needs_a_row_is_an_error(toy: Experiment, prepared: Path) -> None:
    """An eval prompt has no row: the message says what to do."""
    prompt = replace(toy.prompt, system=Template(text="{{ q }}"))
    experiment = replace(asking(toy, prompts=(EvalPrompt(id="a", user="b"),)), prompt=prompt)
    with pytest.raises(UserError) as caught:
        collect(experiment, prepared)
    assert "Eval prompts have no row" in str(caught.value.problem.hint)


def test_collecting_again_reads_nothing_until_a_file_changes(toy: Experiment, prepared: Path) -> None:
    """Stages ask several times in a run; a new test split is seen."""
    experiment = asking(toy, test_set=True)
    first = collect(experiment, prepared)
    assert collect(experiment, prepared) is first
    with (prepared / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(chat("new", "answer")) + "\n")
    assert len(collect(experiment, prepared).samples) == len(first.samples) + 1
