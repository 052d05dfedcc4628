"""Names: aliases of models, models tuned under them, and what a wrong name may have meant."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import NamedTuple

import openai
import pytest

from support.engine_process import PATIENCE, Engine, environment, finish, rows, upload
from support.forked import fork_server

GPT = "gpt-4o-mini-2024-07-18"


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def serve(engine: Engine, *words: str) -> Done:
    """Run `ftrun serve` for the home of a running engine."""
    command = ["serve", "--home", str(engine.home), *words]
    run = fork_server().start(command, cwd=engine.home, env=environment())
    said = run.communicate(timeout=PATIENCE)
    return Done(run.wait(), *said)


def answer(client: openai.OpenAI, model: str) -> str:
    """Ask a model something."""
    messages = [{"role": "user", "content": "？"}]
    found = client.chat.completions.create(model=model, messages=messages)  # type: ignore[arg-type]
    assert found.model == model
    return str(found.choices[0].message.content)


def refusal(call: Callable[[], object]) -> tuple[int, str | None, str]:
    """Return status, code and message of a refused call."""
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    return caught.value.status_code, caught.value.code, caught.value.message


def test_a_running_engine_answers_to_an_alias_at_once(own_engine: Callable[..., Engine]) -> None:
    """An alias is listed, answers and trains; its tuned models outlive it, and it outlives the server."""
    engine = own_engine()
    done = serve(engine, "--alias", f"{GPT}=rehearsal", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["aliases"] == {GPT: "rehearsal"}
    with engine.client() as client:
        assert GPT in [model.id for model in client.models.list()]
        assert client.models.retrieve(GPT).id == GPT
        assert "base model" in answer(client, GPT)
        job = client.fine_tuning.jobs.create(model=GPT, training_file=upload(client), suffix="mine")
        assert job.model == GPT
        job = finish(client, job.id)
        assert job.model == GPT
        first = job.fine_tuned_model
        assert first is not None and first.startswith(f"ft:{GPT}:local:mine:")
        status, _, message = refusal(lambda: client.models.delete(GPT))
        assert status == 403 and f"--alias {GPT}=" in message

        next_one = client.fine_tuning.jobs.create(model=first, training_file=upload(client))
        assert next_one.model == first
        second = finish(client, next_one.id).fine_tuned_model
        assert second is not None and second.startswith(f"ft:{GPT}:local::")

    engine.end()
    engine = own_engine()
    with engine.client() as client:
        assert "base model" in answer(client, GPT)
        assert serve(engine, "--alias", f"{GPT}=").returncode == 0
        assert GPT not in [model.id for model in client.models.list()]
        assert refusal(lambda: answer(client, GPT))[:2] == (404, "model_not_found")
        for model in (first, second, f"{second}:ckpt-step-12"):
            assert "went through" in answer(client, model)


def test_an_alias_for_a_tuned_model(own_engine: Callable[..., Engine]) -> None:
    """An application can ask for a tuned model by a fixed name, even one that OpenAI gave it."""
    engine, old = own_engine(), "ft:gpt-3.5-turbo-0125:acme::AbCdEf12"
    with engine.client() as client:
        job = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client))
        tuned = finish(client, job.id).fine_tuned_model
        assert serve(engine, "--alias", f"{old}={tuned}").returncode == 0
        assert "went through" in answer(client, old)
        again = client.fine_tuning.jobs.create(model=old, training_file=upload(client))
        assert again.model == old
        name = finish(client, again.id).fine_tuned_model
        assert name is not None and name.startswith("ft:gpt-3.5-turbo-0125:local::")
        client.models.delete(str(tuned))
        assert "no longer here" in refusal(lambda: answer(client, old))[2]


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("x=xyzzy", "no model 'xyzzy' here. Built-in models: "),
        ("x=rehearsa", "Did you mean 'rehearsal'?"),
        ("rehearsal=smollm2-135m-instruct", "name of a model here"),
        ("/tmp/x=rehearsal", "can't be an alias"),
        ("a b=rehearsal", "can't be an alias"),
        ("rehearsal\u200b=rehearsal", "can't be an alias"),
        ("\u202egpt\x9b=rehearsal", "can't be an alias"),
        ("nothing", "takes NAME=MODEL"),
        ("x=other", "an alias itself"),
    ],
)
def test_aliases_that_cannot_be(engine: Engine, alias: str, words: str) -> None:
    """The command says why, and keeps none of the aliases that it was given."""
    assert serve(engine, "--alias", "other=rehearsal").returncode == 0
    done = serve(engine, "--alias", "good=rehearsal", "--alias", alias)
    assert done.returncode == 2 and words in done.stderr
    status = json.loads(serve(engine, "--status", "--json").stdout)
    assert status["aliases"] == {"other": "rehearsal"}


def test_status(own_engine: Callable[..., Engine]) -> None:
    """`--status` says what runs, and how to get the token, but not the token."""
    engine = own_engine()
    with engine.client() as client:
        finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id)
    done = serve(engine, "--status")
    assert done.returncode == 0 and engine.token not in done.stdout
    for words in (engine.base_url, "serve --show", engine.store, "1 succeeded"):
        assert words in done.stdout
    engine.end()
    done = serve(engine, "--status", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"running": False, "home": str(engine.home)}


def test_an_engine_that_hangs_is_not_called_stopped(own_engine: Callable[..., Engine]) -> None:
    """A server that holds its store, but does not answer, is an error with the way out."""
    engine = own_engine()
    assert engine.process is not None
    engine.process.send_signal(signal.SIGSTOP)
    try:
        done = serve(engine, "--status", "--json")
    finally:
        engine.process.send_signal(signal.SIGCONT)
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["code"] == "engine_hangs"


def test_a_mistyped_id_is_recognized(client: openai.OpenAI) -> None:
    """Files, jobs and models that are not there: the error names the one that is."""
    file = upload(client, rows(), "家計.jsonl")
    job = finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=file).id)
    model = str(job.fine_tuned_model)

    def wrong(name: str) -> str:
        return name[:-1] + ("a" if name[-1] != "a" else "b")

    def create(training_file: str, model: str = "rehearsal") -> object:
        return client.fine_tuning.jobs.create(model=model, training_file=training_file)

    for call, meant, status in (
        (lambda: client.files.retrieve(wrong(file)), file, 404),
        (lambda: client.fine_tuning.jobs.retrieve(wrong(job.id)), job.id, 404),
        (lambda: client.models.retrieve(wrong(model)), model, 404),
        (lambda: answer(client, wrong(model)), model, 404),
        (lambda: create(wrong(file)), file, 400),
        (lambda: create("家計.jsonl"), file, 400),
        (lambda: create(file, wrong(model)), model, 400),
    ):
        found, _, message = refusal(call)
        assert found == status and f"'{meant}'" in message, message


def test_a_model_of_openai_names_the_alias_that_it_needs(client: openai.OpenAI) -> None:
    """A script of OpenAI's is told the command that makes it work here."""
    _, code, message = refusal(lambda: answer(client, "gpt-4.1-nano"))
    assert code == "model_not_found"
    assert "ftrun serve --alias gpt-4.1-nano=smollm2-135m-instruct" in message


def test_a_path_that_is_too_long_is_no_model(client: openai.OpenAI) -> None:
    """Whatever the system says about a path, the model isn't there; the message doesn't repeat all of it."""
    status, code, message = refusal(lambda: answer(client, "/" + "a" * 5000))
    assert (status, code) == (404, "model_not_found") and len(message) < 2000
