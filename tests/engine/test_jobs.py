"""Jobs: what is refused, filters and pages, idempotency, cancelling, and bad training files."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import openai
import pytest

from ftrun.engine.extras import LOCAL
from support.engine_process import Engine, finish, rows, upload, wait_until


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"model": "gpt-5"}, "model", "smollm2-135m-instruct"),
        ({"training_file": "file-none"}, "training_file", "no file"),
        ({"model": "smollm2-135m-instruct", "method": {"type": "dpo"}}, "method.type", "not supported yet"),
        ({"method": {"type": "orpo"}}, "method.type", "one of supervised, dpo, reinforcement"),
        (
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": []}}}},
            "method.dpo.hyperparameters.beta",
            "a number or a word",
        ),
        ({"method": {"type": "dpo", "dpo": {"grader": {}}}}, "method.dpo.grader", "grader"),
        ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs", "1 to 50"),
        ({"hyperparameters": {"n_epochs": True}}, "hyperparameters.n_epochs", "1 to 50"),
        ({"hyperparameters": {"batch_size": 0}}, "hyperparameters.batch_size", "1 to 256"),
        ({"hyperparameters": {"top_layers": "auto"}}, "hyperparameters.top_layers", "1 to 1000"),
        (
            {"hyperparameters": {"learning_rate_multiplier": 0}},
            "hyperparameters.learning_rate_multiplier",
            "above 0",
        ),
        ({"hyperparameters": {"epochs": 3}}, "hyperparameters.epochs", "Did you mean 'n_epochs'"),
        ({"suffix": ""}, "suffix", "1 to 64"),
        ({"suffix": "x" * 65}, "suffix", "1 to 64"),
        ({"seed": 2**31}, "seed", "2147483647"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata", "16 pairs"),
        ({"metadata": {"k" * 65: "v"}}, "metadata." + "k" * 64, "64"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k", "512"),
        ({"integrations": [{"type": "wandb"}]}, "integrations", "not supported"),
        ({"sufix": "x"}, "sufix", "Did you mean 'suffix'"),
    ],
)
def test_a_wrong_request_names_its_parameter(
    client: openai.OpenAI, change: dict[str, Any], param: str, words: str
) -> None:
    """Whatever this engine can't do is a 400 that names the parameter and the way out; no job is made."""
    before = [job.id for job in client.fine_tuning.jobs.list(limit=1).data]
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/fine_tuning/jobs",
            cast_to=object,
            body={"model": "rehearsal", "training_file": upload(client), **change},
        )
    body: Any = caught.value.body
    assert (body["type"], body["param"]) == ("invalid_request_error", param)
    assert words in body["message"]
    assert [job.id for job in client.fine_tuning.jobs.list(limit=1).data] == before


def test_a_training_file_needs_the_purpose_fine_tune(client: openai.OpenAI) -> None:
    """A file that was uploaded for something else is refused."""
    other = client.files.create(file=("a.jsonl", rows()), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="must be 'fine-tune'"):
        client.fine_tuning.jobs.create(model="rehearsal", training_file=other.id)


def test_a_model_that_cannot_be_trained_yet_says_what_is_missing(client: openai.OpenAI) -> None:
    """A model under terms that nobody accepted, or without torch, is refused before there is a job."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.fine_tuning.jobs.create(model="gemma-3-270m", training_file=upload(client))
    installed = all(find_spec(package) for package in LOCAL)
    assert caught.value.code == ("license_not_accepted" if installed else "extra_missing")
    assert ("ftrun models --accept" if installed else "ftrun[local]") in str(caught.value)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (rows(9), "too_few_examples", "ends at line 9 with 9 examples; it needs at least 10"),
        (rows(10) + b"{oops}\n", "invalid_training_file", "Line 11 of the training_file: it is not JSON"),
        (rows(10) + b"\xff\n", "invalid_training_file", "Line 11 of the training_file: it is not UTF-8"),
        (
            rows(10) + b'{"messages":[{"role":"user","content":"x"}]}\n',
            "invalid_training_file",
            "Line 11 of the training_file: there is no assistant message",
        ),
        (
            rows(10) + b'{"messages":[{"role":"bot","content":"x"}]}\n',
            "invalid_training_file",
            "messages[0].role",
        ),
        (rows(10) + b'{"messages":[],"tools":[]}\n', "invalid_training_file", "tools is empty"),
    ],
)
def test_a_bad_training_file_fails_the_job_with_its_line(
    client: openai.OpenAI, content: bytes, code: str, words: str
) -> None:
    """The job fails before it is queued, and its error names the line and what is wrong there."""
    job = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client, content))
    job = finish(client, job.id)
    assert job.status == "failed" and job.error is not None
    assert (job.error.code, job.error.param) == (code, "training_file")
    assert words in job.error.message
    assert job.fine_tuned_model is None


def test_metadata_filters_and_pages(client: openai.OpenAI) -> None:
    """A list by metadata has exactly the jobs with all of the pairs, newest first, over several pages."""
    file = upload(client)

    def make(**metadata: str) -> str:
        return client.fine_tuning.jobs.create(model="rehearsal", training_file=file, metadata=metadata).id

    ids = [make(batch="頁", n=str(n)) for n in range(5)]
    make(batch="other", n="0")
    found = [job.id for job in client.fine_tuning.jobs.list(metadata={"batch": "頁"}, limit=2)]
    assert found == ids[::-1]
    one = [job.id for job in client.fine_tuning.jobs.list(metadata={"batch": "頁", "n": "3"})]
    assert one == [ids[3]]
    assert not list(client.fine_tuning.jobs.list(metadata={"batch": ""}))
    for job_id in ids:
        with contextlib.suppress(openai.BadRequestError):  # the first may have succeeded by now
            client.fine_tuning.jobs.cancel(job_id)


def test_the_same_key_and_request_make_one_job(client: openai.OpenAI) -> None:
    """A repeated request with its Idempotency-Key gets the first answer; another request is refused."""
    file = upload(client)

    def create(suffix: str) -> str:
        return client.fine_tuning.jobs.create(
            model="rehearsal",
            training_file=file,
            suffix=suffix,
            metadata={"test": "idempotency"},
            extra_headers={"Idempotency-Key": "key-1"},
        ).id

    first = create("a")
    assert create("a") == first
    with pytest.raises(openai.BadRequestError, match="was used with another request"):
        create("b")
    assert len(list(client.fine_tuning.jobs.list(metadata={"test": "idempotency"}))) == 1


def test_racing_requests_with_one_key_make_one_job(client: openai.OpenAI) -> None:
    """Eight requests at once with one key make one job, and all get it."""
    file, ids = upload(client), list[str]()

    def create() -> None:
        ids.append(
            client.fine_tuning.jobs.create(
                model="rehearsal",
                training_file=file,
                metadata={"test": "race"},
                extra_headers={"Idempotency-Key": "key-race"},
            ).id
        )

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8 and len(set(ids)) == 1
    assert len(list(client.fine_tuning.jobs.list(metadata={"test": "race"}))) == 1


def test_a_refused_request_does_not_use_up_its_key(client: openai.OpenAI) -> None:
    """After a 400 the mended request may come with the same key."""
    file, headers = upload(client), {"Idempotency-Key": "key-mended"}
    with pytest.raises(openai.BadRequestError):
        client.fine_tuning.jobs.create(model="nothing", training_file=file, extra_headers=headers)
    job = client.fine_tuning.jobs.create(model="rehearsal", training_file=file, extra_headers=headers)
    assert finish(client, job.id).status == "succeeded"


def test_an_upload_with_a_known_key_is_kept_once(client: openai.OpenAI) -> None:
    """A repeated upload with its key gives the same file."""
    headers = {"Idempotency-Key": "key-upload"}
    ids = {
        client.files.create(file=("a.jsonl", rows(11)), purpose="fine-tune", extra_headers=headers).id
        for _ in range(2)
    }
    assert len(ids) == 1


def test_running_and_queued_jobs_can_be_cancelled(own_engine: Callable[..., Engine]) -> None:
    """One job runs at a time; a cancelled one ends at once and makes room, and its file can be deleted."""
    with own_engine(FTRUN_REHEARSAL_SECONDS_PER_STEP="0.3").client() as client:
        file, jobs = upload(client), client.fine_tuning.jobs
        first, second = (jobs.create(model="rehearsal", training_file=file).id for _ in range(2))
        wait_until(lambda: jobs.retrieve(first).status == "running")
        wait_until(lambda: jobs.retrieve(second).status == "queued")
        with pytest.raises(openai.BadRequestError, match="still needs the file"):
            client.files.delete(file)
        assert jobs.cancel(first).status == "cancelled"
        assert jobs.cancel(first).status == "cancelled"
        wait_until(lambda: jobs.retrieve(second).status == "running")
        assert jobs.cancel(second).status == "cancelled"
        assert client.files.delete(file).deleted
        assert jobs.retrieve(second).fine_tuned_model is None


def test_a_job_can_be_paused_and_resumed(own_engine: Callable[..., Engine]) -> None:
    """A paused job frees the machine, loses no step, and goes on behind the step that it was paused at."""
    with own_engine(FTRUN_REHEARSAL_SECONDS_PER_STEP="0.2").client() as client:
        file, jobs = upload(client), client.fine_tuning.jobs
        given: Any = {"hyperparameters": {"n_epochs": 2, "batch_size": 1}}
        first = jobs.create(model="rehearsal", training_file=file, **given).id
        second = jobs.create(model="rehearsal", training_file=file).id
        wait_until(lambda: len(jobs.list_events(first, limit=100).data) > 6)
        # the SDK's type of a status has no word for a job that rests
        assert str(jobs.pause(first).status) == "pausing"
        wait_until(lambda: str(jobs.retrieve(first).status) == "paused")
        assert str(jobs.pause(first).status) == "paused"
        wait_until(lambda: jobs.retrieve(second).status == "running")
        assert str(jobs.pause(second).status) == "pausing"
        jobs.resume(first)
        job = finish(client, first)
        assert job.status == "succeeded"
        lines = client.files.content(job.result_files[0]).read().decode().splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == [str(step) for step in range(1, 25)]
        messages = [event.message for event in jobs.list_events(first, limit=100)]
        assert not [message for message in messages if "unexpectedly" in message]
        assert jobs.cancel(second).status == "cancelled"
        with pytest.raises(openai.BadRequestError, match="already succeeded"):
            jobs.pause(first)
        with pytest.raises(openai.BadRequestError, match="already cancelled"):
            jobs.resume(second)


def test_a_job_may_go_on_from_an_earlier_model(client: openai.OpenAI) -> None:
    """`model` may be a tuned model: the new one stands on the same base and has gone through both."""
    jobs, file = client.fine_tuning.jobs, upload(client)
    first = finish(client, jobs.create(model="rehearsal", training_file=file).id)
    assert first.fine_tuned_model is not None
    second = finish(client, jobs.create(model=first.fine_tuned_model, training_file=file, suffix="two").id)
    assert second.model == first.fine_tuned_model
    assert second.fine_tuned_model is not None and second.fine_tuned_model.startswith("ft:rehearsal:")

    def steps(model: str) -> int:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "?"}])
        return int(str(answer.choices[0].message.content).split("through ")[1].split()[0])

    assert steps(second.fine_tuned_model) == 2 * steps(first.fine_tuned_model)
    client.models.delete(first.fine_tuned_model)
    with pytest.raises(openai.BadRequestError, match="no model"):
        jobs.create(model=first.fine_tuned_model, training_file=file)


def test_a_finished_job_cannot_be_cancelled(client: openai.OpenAI) -> None:
    """Cancelling a succeeded job is an error and changes nothing."""
    job = finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id)
    with pytest.raises(openai.BadRequestError, match="already succeeded"):
        client.fine_tuning.jobs.cancel(job.id)
    assert client.fine_tuning.jobs.retrieve(job.id).status == "succeeded"


def test_the_same_seed_gives_the_same_losses(client: openai.OpenAI) -> None:
    """Two jobs with one seed and one file have the same result file."""
    file, results = upload(client), []
    for _ in range(2):
        job = client.fine_tuning.jobs.create(
            model="rehearsal", training_file=file, seed=7, hyperparameters={"n_epochs": 1}
        )
        results.append(client.files.content(finish(client, job.id).result_files[0]).read())
    assert results[0] == results[1]
