"""The whole way through the openai SDK: files, jobs, events, checkpoints, models, chat."""

from __future__ import annotations

import csv
import io
from typing import Any

import openai
import pytest
from openai import BaseModel
from openai.types import FileObject, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from pydantic import TypeAdapter

from support.engine_process import finish, rows, upload

QUESTION: Any = [{"role": "user", "content": "人間は死んだ後どうなりますか？"}]


def assert_valid(kind: type[BaseModel], answer: BaseModel) -> None:
    """Hold an answer to the SDK's own type: the SDK itself takes whatever comes."""
    TypeAdapter(kind).validate_python(answer.to_dict(), strict=True)


@pytest.fixture(scope="module")
def job(engine: Any) -> FineTuningJob:
    """Return a succeeded rehearsal with a validation file."""
    with engine.client() as client:
        training, validation = upload(client), upload(client, rows(3), "validation.jsonl")
        created = client.fine_tuning.jobs.create(
            model="rehearsal",
            training_file=training,
            validation_file=validation,
            suffix="hiroyuki",
            seed=42,
            metadata={"ftrun_spec": "abc"},
            method={"type": "supervised", "supervised": {"hyperparameters": {"batch_size": 4}}},
        )
        assert_valid(FineTuningJob, created)
        assert created.status == "validating_files"
        assert created.fine_tuned_model is None
        return finish(client, created.id)


def test_a_job_ends_with_a_model_and_resolved_hyperparameters(job: FineTuningJob) -> None:
    """A succeeded job has its model's name, its tokens and numbers in the place of auto."""
    assert_valid(FineTuningJob, job)
    assert job.status == "succeeded", job.error
    assert job.fine_tuned_model is not None
    assert job.fine_tuned_model.startswith("ft:rehearsal:local:hiroyuki:")
    assert (job.hyperparameters.n_epochs, job.hyperparameters.batch_size) == (8, 4)
    assert job.trained_tokens and job.finished_at and job.seed == 42
    assert job.metadata == {"ftrun_spec": "abc"}


def test_the_result_file_has_openais_columns(client: openai.OpenAI, job: FineTuningJob) -> None:
    """The result file is a CSV with a row a step and falling losses."""
    facts = client.files.retrieve(job.result_files[0])
    assert_valid(FileObject, facts)
    assert facts.purpose == "fine-tune-results"
    table = list(csv.DictReader(io.StringIO(client.files.content(facts.id).text)))
    assert list(table[0])[:5] == [
        "step",
        "train_loss",
        "train_accuracy",
        "valid_loss",
        "valid_mean_token_accuracy",
    ]
    assert [int(row["step"]) for row in table] == list(range(1, 25))
    assert float(table[-1]["train_loss"]) < float(table[0]["train_loss"])
    assert table[-1]["full_valid_loss"]


def test_events_tell_the_whole_story_in_pages(client: openai.OpenAI, job: FineTuningJob) -> None:
    """Events come newest first, page by page, none twice and none left out; metrics carry data."""
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=7))
    assert len({event.id for event in events}) == len(events) > 24
    for event in events:
        assert_valid(FineTuningJobEvent, event)
    assert "succeeded" in events[0].message and "created" in events[-1].message
    data: Any = next(event.data for event in events if event.type == "metrics")
    assert data["step"] == data["total_steps"] == 24
    assert data["tokens_per_second"] > 0 and data["seconds_left"] == 0


def test_every_epoch_leaves_a_checkpoint_that_answers(client: openai.OpenAI, job: FineTuningJob) -> None:
    """Checkpoints come newest first and their names work in chat and in models."""
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=3))
    assert [checkpoint.step_number for checkpoint in checkpoints] == list(range(24, 0, -3))
    assert_valid(FineTuningJobCheckpoint, checkpoints[0])
    name = checkpoints[-1].fine_tuned_model_checkpoint
    assert name == f"{job.fine_tuned_model}:ckpt-step-3"
    assert client.models.retrieve(name).id == name
    answer = client.chat.completions.create(model=name, messages=QUESTION)
    assert "3 steps" in str(answer.choices[0].message.content)


def test_tuned_and_base_answer_as_a_rehearsal(client: openai.OpenAI, job: FineTuningJob) -> None:
    """Both models answer, differently, the same each time, and say that nothing was trained."""
    answers = []
    for model in ("rehearsal", str(job.fine_tuned_model), str(job.fine_tuned_model)):
        answer = client.chat.completions.create(model=model, messages=QUESTION, temperature=0, seed=1)
        assert_valid(ChatCompletion, answer)
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
        answers.append(answer.choices[0].message.content)
    assert all(text and text.startswith("[rehearsal]") and "死んだ後" in text for text in answers)
    assert answers[0] != answers[1] == answers[2]


def test_a_stream_is_the_answer_in_pieces(client: openai.OpenAI) -> None:
    """A stream yields valid chunks that add up to the whole answer, the usage last if asked."""
    whole = client.chat.completions.create(model="rehearsal", messages=QUESTION)
    stream = client.chat.completions.create(
        model="rehearsal", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    for chunk in chunks:
        assert_valid(ChatCompletionChunk, chunk)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage


def test_answers_stop_where_they_are_told(client: openai.OpenAI) -> None:
    """max_tokens ends an answer with the reason length; a stop word ends it before that word."""
    short = client.chat.completions.create(model="rehearsal", messages=QUESTION, max_tokens=2).choices[0]
    assert (short.finish_reason, short.message.content) == ("length", "[rehears"[:8])
    stopped = client.chat.completions.create(model="rehearsal", messages=QUESTION, stop=["was asked"])
    assert stopped.choices[0].finish_reason == "stop"
    assert str(stopped.choices[0].message.content).endswith("base model ")


def test_models_are_listed_and_tuned_ones_deleted(client: openai.OpenAI) -> None:
    """The list has the catalogue and what was tuned; deleting a model ends its use, the base stays."""
    made = finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id)
    name = str(made.fine_tuned_model)
    assert "::" in name  # no suffix
    models = {model.id: model for model in client.models.list()}
    assert {"rehearsal", "smollm2-135m-instruct", "gemma-3-270m", name} <= models.keys()
    assert_valid(Model, models[name])
    assert client.models.delete(name).deleted
    with pytest.raises(openai.NotFoundError, match="There is no model"):
        client.chat.completions.create(model=name, messages=QUESTION)
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete("rehearsal")


def test_files_are_listed_by_purpose_in_pages(client: openai.OpenAI) -> None:
    """Files come newest first, filtered by purpose, and their bytes come back unchanged."""
    ids = [upload(client, rows(10), f"数{n}.jsonl") for n in range(3)]
    listed = [file.id for file in client.files.list(purpose="fine-tune", limit=2)]
    assert listed[:3] == ids[::-1]
    assert len(set(listed)) == len(listed)
    oldest_first = [file.id for file in client.files.list(purpose="fine-tune", order="asc")]
    assert oldest_first == listed[::-1]
    assert client.files.content(ids[0]).read() == rows(10)
    assert client.files.retrieve(ids[0]).filename == "数0.jsonl"
    assert client.files.delete(ids[0]).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(ids[0])
