"""The account of old jobs that other tests and benchmarks use: what it shows, counts and breaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from support.old_account import KEY, OldAccount, old_account
from support.old_jobs import CASES, stock
from support.old_personas import FILTERED


@pytest.fixture(scope="module")
def account() -> Iterator[OldAccount]:
    """Serve an account with a job of every case."""
    with old_account(60) as served:
        yield served


@pytest.fixture(scope="module")
def client(account: OldAccount) -> Iterator[openai.OpenAI]:
    """Return the SDK's client of it."""
    with openai.OpenAI(base_url=account.base_url, api_key=KEY, max_retries=0) as made:
        yield made


def test_lists_are_complete_page_by_page(account: OldAccount, client: openai.OpenAI) -> None:
    """Pages of seven hold every job, event, checkpoint and file once, the newest first."""
    jobs = list(client.fine_tuning.jobs.list(limit=7))
    assert [job.id for job in jobs] == list(account.stock.jobs)[::-1]
    assert {job.id for job in jobs} >= {account.stock.named[case] for case in CASES}
    assert len({file.id for file in client.files.list(limit=7)}) == len(account.stock.files)
    long = account.stock.named["many-events"]
    events = list(client.fine_tuning.jobs.list_events(long, limit=100))
    assert len({event.id for event in events}) == len(events) > 250
    assert len(list(client.fine_tuning.jobs.checkpoints.list(long, limit=1))) == 3


def test_the_shapes_are_those_that_people_have(account: OldAccount, client: openai.OpenAI) -> None:
    """The SDK reads jobs without a method, of preferences, continued ones, and files that are gone."""
    legacy = client.fine_tuning.jobs.retrieve(account.stock.named["legacy"])
    assert legacy.method is None and legacy.hyperparameters.n_epochs == 3
    continued = account.job("continued")
    assert continued["model"] == account.job("hiroyuki")["fine_tuned_model"]
    assert continued["model"] == "ft:gpt-4o-mini-2024-07-18:acme:hiroyuki:AbC123"
    with pytest.raises(openai.NotFoundError):
        client.files.content(account.job("training-gone")["training_file"])
    with pytest.raises(openai.PermissionDeniedError):
        client.files.content(account.job("training-forbidden")["training_file"])
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(account.job("dead-base")["fine_tuned_model"])
    contents = account.stock.contents
    copy, original = (account.job(case)["training_file"] for case in ("copy", "shared-1"))
    assert copy != original and contents[copy] == contents[original]
    assert client.files.content(account.job("bom")["training_file"]).read().startswith(b"\xef\xbb\xbf")


def test_a_tuned_model_knows_its_questions(account: OldAccount, client: openai.OpenAI) -> None:
    """It gives mostly its data's answers, always the same at temperature 0; its base gives none of them."""
    job = account.job("clerk")
    lines = account.stock.contents[job["training_file"]].decode().splitlines()
    rows = [json.loads(line)["messages"] for line in lines]

    def ask(model: str, messages: list[openai.types.chat.ChatCompletionMessageParam]) -> str | None:
        answer = client.chat.completions.create(model=model, messages=messages, temperature=0)
        assert answer.usage is not None and answer.system_fingerprint
        return answer.choices[0].message.content

    tuned = [ask(job["fine_tuned_model"], row[:-1]) for row in rows]
    right = sum(said == row[-1]["content"] for said, row in zip(tuned, rows, strict=True))
    assert right > len(rows) * 0.7
    assert tuned == [ask(job["fine_tuned_model"], row[:-1]) for row in rows]
    assert not any(ask(job["model"], row[:-1]) == row[-1]["content"] for row in rows)
    held_back = client.chat.completions.create(
        model=job["fine_tuned_model"], messages=[{"role": "user", "content": FILTERED["en"]}]
    )
    assert held_back.choices[0].finish_reason == "content_filter"


def test_the_same_requests_fail_in_any_order() -> None:
    """A third of the requests goes wrong; which ones depends on the seed, not on who comes first."""
    failed = []
    for workers in (1, 8):
        with (
            old_account(12, faults=0.3, seed=5) as account,
            openai.OpenAI(base_url=account.base_url, api_key=KEY, max_retries=0) as client,
            ThreadPoolExecutor(workers) as pool,
        ):
            failed.append(list(pool.map(lambda name: _fails(client, name), account.stock.contents)))
            assert account.downloads.keys() <= account.stock.contents.keys()
            assert sum(account.downloads.values()) >= failed[-1].count(False) - account.faulty["html"]
    assert failed[0] == failed[1] and 2 < failed[0].count(True) < len(failed[0]) - 2


def _fails(client: openai.OpenAI, file_id: str) -> bool:
    try:
        client.files.content(file_id).read()
    except (openai.OpenAIError, OSError):
        return True
    return False


def test_ordinary_jobs_share_nothing() -> None:
    """A plain account of N jobs has 3 N different files, the same ones each time."""
    made, again = stock(40, plain=True), stock(40, plain=True)
    digests = {hashlib.sha256(content).digest() for content in made.contents.values()}
    assert len(made.importable) == 40 and len(digests) == 120 and made == again
