"""What servers answer is read with care: odd answers are understood, hostile ones are bounded."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from ftrun.errors import FtrunError
from ftrun.targets import azure
from ftrun.targets.api import ApiService
from ftrun.targets.errors import ServiceError
from ftrun.targets.service import Created, NotCreated, Unclear
from support.scripted_server import Answer, Asked, refusal
from targets.conftest import JOB, REQUEST, Connect

ERROR = {"message": "no", "type": "invalid_request_error", "param": None, "code": None}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429])
@pytest.mark.parametrize(
    ("body", "certain"),
    [
        ({"error": ERROR}, True),
        ({"error": {"code": "InvalidPayload", "message": "no", "innererror": {}}}, True),
        ({"error": {"code": "1214", "message": "no"}, "request_id": "r"}, True),
        (b"", False),
        (b"<html>blocked</html>", False),
        (b'{"error": {"message": "no"', False),
        (b"[" * 100_000, False),
        ([{"error": ERROR}], False),
        ({"message": "blocked"}, False),
        (ERROR, False),
        ({"object": "error", **ERROR}, False),
        ({"detail": "Not Found"}, False),
        ({"error": "blocked"}, False),
        ({"error": {}}, False),
        ({"error": {"message": " "}}, False),
        ({"error": {"message": ["no"]}}, False),
        ({"error": {"message": "upstream timed out", "code": 504}}, False),
        ({"error": {"message": "upstream timed out", "code": "408"}}, False),
        ({"error": {"message": "no answer", "code": "HTTP_502"}}, False),
        ({"error": {"message": "no answer", "code": None, "status_code": 503}}, False),
        ({"error": {"message": "no answer", "code": "litellm.Timeout"}}, False),
        ({"error": {"message": "no answer", "type": "server_error", "code": None}}, False),
        ({"error": {"message": "no answer", "type": "InternalServerError"}}, False),
        ({"error": {"message": "timed out values", "type": "invalid_request_error"}}, True),
        ({**JOB, "error": ERROR}, False),
    ],
)
def test_only_the_apis_own_error_says_that_no_job_was_made(
    connect: Connect, status: int, body: Any, certain: bool
) -> None:
    """What a proxy, a gateway or a cut connection makes of an answer says nothing of the job."""
    _, service = connect(lambda asked: Answer(body, status))
    outcome = service.create_job(REQUEST, "key")
    assert isinstance(outcome, NotCreated if certain else Unclear)
    assert certain or "proxy" in outcome.reason


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
        ({"result_files": 7}, "result_files", ()),
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


DEEP = b"[" * 200_000
NO_ID = b'{"id": "ftjob-\\u001b[2J", "object": "fine_tuning.job", "status": "queued"}'


@pytest.mark.parametrize(
    "body", [b"<html>hi</html>", b"[]", b"{}", b"7", b'"x"', b"null", b"{", b"\xff\xfe", DEEP, NO_ID]
)
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
            azure._fresh(lambda kind=kind: fails(kind))  # type: ignore[misc]
        assert caught.value.code == code
