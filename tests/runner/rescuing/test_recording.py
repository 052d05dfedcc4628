"""The files of recorded answers: whose they are, what they are called, and that they never become less."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun.evaluation.answers import Candidate, Record, Request, cache_key
from ftrun.evaluation.rescued_files import RescuedFiles, rescued_of
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.runner.rescuing.questions import entry_of
from ftrun.runner.rescuing.recording import RecordedFiles, Subject, place_for, record

CONFIG = """\
version: 1
name: {name}
targets: {{paid: {{provider: openai, model: m}}, b-paid: {{provider: openai, model: m}}}}
target: paid
eval: {{models: [base], prompts: [{{id: a, user: hello}}]}}
"""


def experiment_in(folder: Path, name: str = "toy", target: str | None = None) -> Experiment:
    """Return an experiment of a folder."""
    path = folder / f"{name}.yaml"
    path.write_text(CONFIG.format(name=name), encoding="utf-8")
    return build_experiment(read_document(path), target)


def subject_of(experiment: Experiment, model: str = "ft:m:one") -> Subject:
    """Return a tuned model of the experiment; its key is its name's last letters, repeated."""
    return Subject(experiment=experiment, model=model, key=(model[-3:] * 4)[:8])


def asked(
    text: str, answer: str, *, own: str = "a", model: str = "ft:m:one", repeat: int = 0, **sampling: Any
) -> tuple[EvalPrompt, tuple[Request, Record]]:
    """Return a question with its answer."""
    prompt = EvalPrompt(id=own, messages=({"role": "user", "content": text},), own_system=True)
    who = Candidate(name="tuned", model=model)
    messages = prompt.messages or ()
    key = cache_key(who, messages, sampling, repeat=repeat)
    request = Request(sample=own, candidate=who, messages=messages, sampling=sampling, key=key, repeat=repeat)
    answered = Record(
        prompt_id=own,
        candidate="tuned",
        model=model,
        messages=messages,
        answer=answer,
        expect=None,
        passed=None,
        usage={},
        seconds=0.1,
        cache_key=key,
        repeat=repeat,
    )
    return prompt, (request, answered)


def write(subject: Subject, *answers: tuple[EvalPrompt, tuple[Request, Record]]) -> RecordedFiles:
    """Record the answers."""
    prompts = {one.id: one for one, _ in answers}.values()
    origins = {one.id: "prompts" for one in prompts}
    found = record(subject, tuple(prompts), origins, [pair for _, pair in answers], missing=0)
    assert found is not None
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file."""
    return [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]


def test_several_answers_of_a_changed_question_stay_together(tmp_path: Path) -> None:
    """Both answers to an older text get one longer id, with the question; a third text makes another."""
    subject = subject_of(experiment_in(tmp_path))
    for text in ("one", "two", "three"):
        found = write(subject, *(asked(text, f"{text} {n}", repeat=n) for n in range(2)))
    answers = {(one["prompt_id"], one["repeat"]): one["answer"] for one in lines(found.files.answers)}
    questions = {one["id"]: one["user"] for one in lines(found.files.questions)}
    assert (
        len(answers) == 6
        and questions["a"] == "three"
        and sorted(questions.values()) == [*("one", "three", "two")]
    )
    for own, text in questions.items():
        assert [answers[own, n] for n in range(2)] == [f"{text} {n}" for n in range(2)]


def test_another_sampling_is_another_question(tmp_path: Path) -> None:
    """The answers with another temperature stay, under the longer id."""
    subject = subject_of(experiment_in(tmp_path))
    write(subject, asked("one", "cold", temperature=0))
    found = write(subject, asked("one", "hot", temperature=1))
    assert [(one["prompt_id"] == "a", one["answer"]) for one in lines(found.files.answers)] == [
        *((False, "cold"), (True, "hot"))
    ]
    assert [one["user"] for one in lines(found.files.questions)] == ["one", "one"]


def test_an_answer_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    """The same request with another answer changes nothing, and nothing is written."""
    subject = subject_of(experiment_in(tmp_path))
    first = write(subject, asked("one", "first"))
    again = write(subject, asked("one", "second"))
    assert lines(again.files.answers)[0]["answer"] == "first"
    assert not again.written and (again.sha256, again.date) == (first.sha256, first.date)


def test_each_tuned_model_has_files_of_its_own(tmp_path: Path) -> None:
    """The second gets the beginning of its key; both are found by model, none is overwritten."""
    experiment = experiment_in(tmp_path)
    one, two = (subject_of(experiment, f"ft:m:{name}") for name in ("one", "two"))
    first = write(one, asked("q", "1", model=one.model))
    second = write(two, asked("q", "2", model=two.model))
    assert (first.files.stem, second.files.stem) == ("toy-paid", "toy-paid-twotwotw")
    for subject, found in ((one, first), (two, second)):
        files = rescued_of(experiment.file, **subject.owner)
        assert files == found.files and files.intact
    assert rescued_of(experiment.file, name="toy", target="paid", model="ft:m:three") is None


def test_names_that_run_into_each_other(tmp_path: Path) -> None:
    """`toy` on `b-paid` and `toy-b` on `paid` would share a name: the second gets a longer one."""
    first = write(subject_of(experiment_in(tmp_path, "toy", "b-paid")), asked("q", "1"))
    second = write(subject_of(experiment_in(tmp_path, "toy-b")), asked("q", "2"))
    assert first.files.stem == "toy-b-paid" and second.files.stem == "toy-b-paid-oneoneon"


def test_changed_files_are_left_alone_again_and_again(tmp_path: Path) -> None:
    """Each change by a person makes a further name; port gets one that is as it was recorded."""
    subject = subject_of(experiment_in(tmp_path))
    stems = []
    for _ in range(3):
        found = write(subject, asked("q", "1"))
        stems.append(found.files.stem)
        with found.files.answers.open("a", encoding="utf-8") as file:
            file.write('{"prompt_id": "mine", "answer": "x"}\n')
    assert stems == ["toy-paid", "toy-paid-oneoneon", "toy-paid-oneoneon-2"]
    changed = rescued_of(subject.experiment.file, **subject.owner)
    assert changed is not None and not changed.intact
    fresh = write(subject, asked("q", "1"))
    assert rescued_of(subject.experiment.file, **subject.owner) == fresh.files
    assert place_for(subject)[1] == RescuedFiles.named(tmp_path / "rescued", "toy-paid")


@pytest.mark.parametrize(
    ("messages", "entry"),
    [
        ([("user", "hi")], {"system": None, "user": "hi"}),
        ([("system", "be brief"), ("user", "hi")], {"system": "be brief", "user": "hi"}),
        ([("system", "x.j2"), ("user", "hi")], "messages"),
        ([("user", "hi"), ("assistant", "yes"), ("user", "why")], "messages"),
        ([("user", "hi"), ("assistant", "yes")], None),
        ([("user", [{"type": "text", "text": "hi"}])], None),
    ],
)
def test_a_question_becomes_an_entry_that_asks_the_same(messages: Any, entry: Any, tmp_path: Path) -> None:
    """Where no entry of a file of questions can, there is none; what there is loads as an experiment's."""
    chat = tuple({"role": role, "content": content} for role, content in messages)
    prompt = EvalPrompt(id="a", messages=chat, own_system=True, reference="yes", tags=("t",))
    found = entry_of(prompt, "test")
    if entry is None:
        assert found is None
        return
    assert found is not None and found["_from"] == "test" and found["reference"] == "yes"
    wanted = {"messages": list(chat)} if entry == "messages" else entry
    assert {name: one for name, one in found.items() if name in ("system", "user", "messages")} == wanted
    (tmp_path / "questions.jsonl").write_text(json.dumps(found), encoding="utf-8")
    config = tmp_path / "toy.yaml"
    text = CONFIG.format(name="toy").replace("{id: a, user: hello}", "{path: questions.jsonl}")
    config.write_text(text, encoding="utf-8")
    (read,) = build_experiment(read_document(config)).evaluation.prompts
    assert replace(read, messages=None, user=None, system=None, own_system=False) == EvalPrompt(
        id="a", reference="yes", tags=("t",)
    )
