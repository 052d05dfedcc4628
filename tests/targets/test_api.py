"""What servers answer is read with care: odd answers are understood, hostile ones are bounded."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from ftrun.errors import FtrunError
from ftrun.targets import entra
from ftrun.targets.api import ApiService, connection
from ftrun.targets.service import Created, JobRequest, NotCreated, Unclear
from ftrun.targets.trouble import ServiceError
from scripted import Answer, Asked, listed, refusal
from targets.conftest import Connect

JOB = {"id": "ftjob-1", "object": "fine_tuning.job", "status": "running", "model": "m", "training_file": "f"}
REQUEST = JobRequest(
    model="m",
    training_file="file-1",
    validation_file=None,
    hyperparameters={"n_epochs": "auto"},
    seed=None,
    suffix=None,
    metadata={"ftrun_spec": "spec"},
)


@pytest.mark.parametrize(
    ("job", "field", "value"),
    [
        ({"status": "pausing"}, "dead", False),
        ({"status": "moderating-things"}, "dead", False),
        ({"status": None}, "status", "unknown"),
        ({"error": {}}, "error", None),
        ({"error": {"code": None, "message": None}}, "error", None),
        ({"error": {"code": "x", "message": "why"}}, "error", "why"),
        ({"fine_tuned_model": {}}, "fine_tuned_model", None),
        ({"metadata": None}, "metadata", {}),
        ({"metadata": {"a": 1, "b": "c"}}, "metadata", {"b": "c"}),
        ({"result_files": None}, "result_files", ()),
        ({"result_files": [{"id": "file-9"}, None]}, "result_files", ("file-9",)),
        ({"created_at": "yesterday"}, "created_at", None),
        ({"created_at": 10**20}, "created_at", None),
        ({"trained_tokens": -5}, "trained_tokens", None),
        ({"estimated_finish": 1e3}, "estimated_finish", 1000),
        ({"hyperparameters": None, "seed": None, "trained_tokens": None}, "hyperparameters", {}),
    ],
)
def test_an_odd_job_is_understood(connect: Connect, job: dict[str, Any], field: str, value: Any) -> None:
    """Nulls, empty errors and statuses nobody has heard of are neither a failure nor an end."""
    _, service = connect(lambda asked: Answer({**JOB, **job}))
    assert getattr(service.job("ftjob-1"), field) == value


@pytest.mark.parametrize("body", [b"<html>hi</html>", b"[]", b"{}", b"7", b'"x"', b"null", b"{", b"\xff\xfe"])
def test_garbage_is_an_error_in_words(connect: Connect, body: bytes) -> None:
    """An answer that is no job, no list and no model ends in an error that says so, wherever it comes."""
    _, service = connect(lambda asked: Answer(body))
    calls = (
        lambda: service.job("ftjob-1"),
        lambda: list(service.jobs()),
        lambda: service.events("ftjob-1"),
        lambda: list(service.files()),
        lambda: service.file("file-1"),
        lambda: service.models(),
        lambda: service.model("m"),
        lambda: service.chat("m", [{"role": "user", "content": "?"}], {}),
        lambda: service.cancel("ftjob-1"),
        lambda: service.find_file("a", 1),
    )
    for call in calls:
        with pytest.raises(ServiceError) as caught:
            call()
        assert caught.value.code in ("unreadable_answer", "unreachable"), str(caught.value)
    assert isinstance(service.create_job(REQUEST, "key"), Unclear)


def test_an_endless_answer_is_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without an end is read to the limit, not to the end of memory."""
    monkeypatch.setattr(connection, "MOST_BYTES", 2**20)

    def pieces() -> Iterator[bytes]:
        while True:
            yield b" " * 65536

    _, service = connect(lambda asked: Answer(pieces()))
    with pytest.raises(ServiceError, match="larger than 1 MB"):
        service.job("ftjob-1")


def test_a_trickling_answer_is_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes byte by byte does not hold a run for ever."""
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.3)

    def pieces() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    _, service = connect(lambda asked: Answer(pieces()))
    with pytest.raises(ServiceError, match="no end"):
        service.job("ftjob-1")


def test_a_bomb_is_not_unpacked(connect: Connect) -> None:
    """A compressed answer was not asked for: what it unfolds into can't be known."""
    server, service = connect(lambda asked: Answer(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}))
    with pytest.raises(ServiceError, match="compressed"):
        service.job("ftjob-1")
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_a_cursor_that_does_not_move_is_an_error(connect: Connect) -> None:
    """Where a server says that more follows and shows the same again, nobody knows which jobs it has."""
    server, service = connect(lambda asked: listed([JOB], has_more=True))
    with pytest.raises(ServiceError, match="no end"):
        list(service.jobs())
    assert len(server.asked) == 2


def test_a_server_without_pages_is_read_once(connect: Connect) -> None:
    """Where a server has no pages and says nothing of more, its one list is all there is."""
    _, service = connect(lambda asked: Answer({"data": [JOB]}))
    assert [job.id for job in service.jobs()] == ["ftjob-1"]


def test_an_empty_list_may_be_null(connect: Connect) -> None:
    """`data: null` is an empty list; no `data` at all is none."""
    _, service = connect(lambda asked: Answer({"object": "list", "data": None}))
    assert list(service.jobs()) == []


def test_pages_are_followed(connect: Connect) -> None:
    """All pages are read, by the last id of each."""

    def script(asked: Asked) -> Answer:
        start = int(asked.query.get("after", "j-0").split("-")[1])
        entries = [{**JOB, "id": f"j-{number}"} for number in range(start + 1, start + 4)]
        return listed(entries, has_more=start < 6)

    _, service = connect(script)
    assert [job.id for job in service.jobs()] == [f"j-{number}" for number in range(1, 10)]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_call_follows_a_redirect(connect: Connect, status: int) -> None:
    """Neither key nor data go to an address that a server names; a create is then not created or unclear."""
    other, _ = connect(lambda asked: Answer(JOB))
    _, service = connect(lambda asked: Answer(b"", status, {"Location": f"{other.base_url}/x"}))
    for call in (
        lambda: service.job("j"),
        lambda: list(service.jobs()),
        lambda: service.upload(io.BytesIO(b"{}"), "f"),
        lambda: service.chat("m", [], {}),
        lambda: service.result_csv("f"),
        lambda: service.delete_model("m"),
    ):
        with pytest.raises(ServiceError) as caught:
            call()
        assert caught.value.code == "redirected"
    assert not isinstance(service.create_job(REQUEST, "key"), Created)
    assert other.asked == []


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (403, {"code": "training_not_available", "message": "closed"}, "not_eligible"),
        (429, {"code": "insufficient_quota", "message": "pay"}, "quota"),
        (
            429,
            {"code": "rate_limit_exceeded", "message": "reached the daily limit of 24 jobs"},
            "daily_limit",
        ),
        (429, {"code": "rate_limit_exceeded", "message": "Limit 3 requests per day"}, "daily_limit"),
        (429, {"code": None, "message": "the maximum of 3 active fine-tuning jobs"}, "queue_full"),
        (429, {"code": "too_many_jobs", "message": "100 wait"}, "queue_full"),
        (429, {"code": "rate_limit_exceeded", "message": "slow down"}, "rate_limited"),
        (400, {"code": "invalid", "message": "no such file"}, "refused"),
        (401, {"code": "invalid_api_key", "message": "no"}, "wrong_key"),
        (503, {"code": None, "message": "busy"}, "api_error"),
    ],
)
def test_limits_and_refusals_are_told_apart(
    connect: Connect, status: int, error: dict[str, Any], code: str
) -> None:
    """What a night ends, what another job's end ends, what money ends and what nothing ends differ."""
    _, service = connect(lambda asked: Answer({"error": error}, status))
    with pytest.raises(ServiceError) as caught:
        service.job("ftjob-1")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("code", "message", "exit_code", "hint"),
    [
        ("rate_limit_exceeded", "the daily limit of 24 jobs", 75, "Come back after"),
        ("too_many_jobs", "100 wait", 75, "when one has ended"),
        ("insufficient_quota", "pay", 1, "waiting does not help"),
    ],
)
def test_a_limit_at_creation_is_no_failure(
    connect: Connect, code: str, message: str, exit_code: int, hint: str
) -> None:
    """A daily limit and a full queue end with 75 and when to come back; an empty account is a failure."""
    _, service = connect(lambda asked: refusal(429, message, code, {"Retry-After": "7200"}))
    outcome = service.create_job(REQUEST, "key")
    assert isinstance(outcome, NotCreated)
    error = outcome.as_error()
    assert error.exit_code == exit_code
    assert hint in str(error.problem.hint)


@pytest.mark.parametrize(
    ("header", "low", "high"), [("900", 900, 900), ("date", 3590, 3601), ("soon", None, None)]
)
def test_retry_after_is_read_as_seconds_or_date(
    connect: Connect, header: str, low: float | None, high: float | None
) -> None:
    """What the SDK doesn't wait for is handed on: longer than two minutes, also as a date."""
    header = formatdate(time.time() + 3600, usegmt=True) if header == "date" else header
    _, service = connect(lambda asked: refusal(503, "busy", None, {"Retry-After": header}))
    with pytest.raises(ServiceError) as caught:
        service.job("ftjob-1")
    found = caught.value.retry_after
    if low is None or high is None:
        assert found is None
    else:
        assert found is not None and low <= found <= high


def test_a_model_trained_just_now_is_waited_for(connect: Connect) -> None:
    """404 right after success means not yet; for a model that nobody trained it means no."""
    looks = {"ft:new": 2}

    def script(asked: Asked) -> Answer:
        if asked.path.startswith("/fine_tuning"):
            return Answer({**JOB, "status": "succeeded", "fine_tuned_model": "ft:new"})
        looks[asked.body["model"]] = looks.get(asked.body["model"], 99) - 1
        if looks[asked.body["model"]] > 0:
            return refusal(404, "The model does not exist", "model_not_found")
        return Answer({"id": "c", "choices": [{"message": {"role": "assistant", "content": "はい"}}]})

    server, service = connect(script)
    service.job("ftjob-1")
    assert service.chat("ft:new", [], {}).text == "はい"
    asked = len(server.asked)
    with pytest.raises(ServiceError) as caught:
        service.chat("ft:other", [], {})
    assert caught.value.code == "not_found"
    assert len(server.asked) == asked + 1


def test_a_result_file_may_be_base64(connect: Connect) -> None:
    """Base64 is undone, CSV stays, and what is neither is said to be."""
    text = "step,train_loss\n1,0.5\n"
    bodies = iter([text.encode(), base64.b64encode(text.encode()), b"\xff\xff", b"!!!"])
    _, service = connect(lambda asked: Answer(next(bodies), 200, {"Content-Type": "text/csv"}))
    assert service.result_csv("f") == text
    assert service.result_csv("f") == text
    for _ in range(2):
        with pytest.raises(Exception, match="neither CSV nor base64"):
            service.result_csv("f")


def test_a_server_without_checkpoints_has_none(connect: Connect) -> None:
    """An unknown path is an empty list of checkpoints, not an error."""
    _, service = connect(lambda asked: refusal(404))
    assert service.checkpoints("ftjob-1") == []


@pytest.mark.parametrize(
    ("method", "grader", "settings"),
    [
        ("supervised", None, {"hyperparameters": {"n_epochs": "auto"}}),
        ("dpo", None, {"hyperparameters": {"n_epochs": "auto"}}),
        ("reinforcement", {"type": "x"}, {"hyperparameters": {"n_epochs": "auto"}, "grader": {"type": "x"}}),
    ],
)
def test_a_job_is_asked_for_by_its_method(
    connect: Connect, method: str, grader: dict[str, str] | None, settings: dict[str, Any]
) -> None:
    """Hyperparameters and grader stand under the method's name, and are read from there again."""
    given = {"type": method, method: {"hyperparameters": {"n_epochs": 2}}}
    server, service = connect(lambda asked: Answer({**JOB, "method": given}))
    outcome = service.create_job(replace(REQUEST, method=method, grader=grader), "key")
    assert server.asked[-1].body["method"] == {"type": method, method: settings}
    assert isinstance(outcome, Created)
    assert outcome.job.hyperparameters == {"n_epochs": 2}


@pytest.mark.parametrize("usage", [{"prompt_tokens": "many", "completion_tokens": -3}, 7, None])
def test_tokens_that_are_no_number_are_not_counted(connect: Connect, usage: Any) -> None:
    """A bill that can't be read breaks no run and takes nothing off the month's sum."""
    said = {"role": "assistant", "content": "a"}
    body = {"id": "c", "choices": [{"index": 0, "message": said}], "usage": usage}
    _, service = connect(lambda asked: Answer(body))
    assert dict(service.chat("m", [], {}).usage) == {"prompt_tokens": 0, "completion_tokens": 0}


def test_without_a_token_no_job_was_created(connect: Connect) -> None:
    """A token that can't be had is asked for before anything leaves: that is no unclear create."""
    server, _ = connect(lambda asked: Answer({}))

    def no_token() -> str:
        raise FtrunError("no token", code="wrong_key")

    service = ApiService(base_url=server.base_url, key=no_token, organization=None, project=None)
    outcome = service.create_job(REQUEST, "key")
    service.close()
    assert isinstance(outcome, NotCreated) and "no token" in outcome.reason


def test_a_token_that_the_network_keeps_away_is_waited_for() -> None:
    """Only the network is away: that passes, as for any other call."""
    exceptions = pytest.importorskip("azure.core.exceptions")

    def fails(kind: str) -> str:
        raise getattr(exceptions, kind)(message="no way")

    for kind, code in (("ServiceRequestError", "unreachable"), ("ClientAuthenticationError", "wrong_key")):
        with pytest.raises(FtrunError, match="no way") as caught:
            entra._fresh(lambda kind=kind: fails(kind))  # type: ignore[misc]
        assert caught.value.code == code
