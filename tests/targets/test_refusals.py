"""A chat request that a server refuses: what is sent instead, or which parameter is named."""

from __future__ import annotations

from typing import Any

import pytest

from ftrun.targets.errors import ServiceError
from support.scripted_server import Answer, Asked

from .conftest import Connect

SAMPLING = {"temperature": 0, "max_tokens": 64, "seed": 42}
SAID = Answer({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "はい"}}]})


def openai(name: str, code: str = "unsupported_parameter", message: str = "no") -> Any:
    """Return a refusal as OpenAI writes it."""
    error = {"message": message, "type": "invalid_request_error", "param": name, "code": code}
    return {"error": error}


def refusing(bodies: dict[str, Any], status: int = 400) -> Any:
    """Return a server that answers a request with a parameter of `bodies` by its refusal."""

    def script(asked: Asked) -> Answer:
        found = next((body for name, body in bodies.items() if name in asked.body), None)
        return SAID if found is None else Answer(found, status)

    return script


LEFT_OUT = {
    "temperature": [
        openai("temperature", "unsupported_value", "'temperature' does not support 0 with this model."),
        {"error": {"message": "invalid temperature: only 1 is allowed for this model"}},
        {"error": "`temperature` is deprecated for this model."},
        {"message": "temperature: Extra inputs are not permitted"},
        b"temperature is not supported",
    ],
    "seed": [
        {"error": {"message": "Unrecognized request argument supplied: seed", "param": None, "code": None}},
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]},
        {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]}},
        {"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.', "status": "INVALID"}},
        {"detail": "create() got an unexpected keyword argument 'seed'"},
        {"error": {"message": "The parameter seed is not available for this model"}},
        {"error": {"message": "seed is not implemented"}},
        {"message": "This model does not recognize the argument `seed`."},
    ],
}


@pytest.mark.parametrize("status", [400, 403, 405, 422, 501])
@pytest.mark.parametrize(("name", "body"), [(name, body) for name, told in LEFT_OUT.items() for body in told])
def test_a_refused_parameter_is_left_out(connect: Connect, name: str, body: Any, status: int) -> None:
    """Whether a field names it or words alone: it is left out, and not tried again with the next question."""
    server, service = connect(refusing({name: body}, status))
    assert service.chat("m", [], SAMPLING).text == "はい"
    assert service.chat("m", [], SAMPLING).text == "はい"
    assert [name in asked.body for asked in server.asked] == [True, False, False]
    assert service.changes == {"m": {name: None}}
    assert service.chat("other", [], {}).text == "はい"


def test_the_limit_of_an_answer_is_renamed(connect: Connect) -> None:
    """A model that thinks first takes `max_completion_tokens`; what else it refuses is left out."""
    server, service = connect(
        refusing(
            {
                "max_tokens": openai("max_tokens", message="Use 'max_completion_tokens' instead."),
                "temperature": openai("temperature", "unsupported_value"),
                "seed": openai("seed", "unknown_parameter"),
            }
        )
    )
    service.chat("m", [], SAMPLING)
    assert len(server.asked) == 4
    assert server.asked[-1].body["max_completion_tokens"] == 64
    assert not {"max_tokens", "temperature", "seed"} & server.asked[-1].body.keys()


@pytest.mark.parametrize(
    ("bodies", "parameter", "requests"),
    [
        # without a limit an answer may cost anything: it is not left out
        (
            {"max_tokens": openai("max_tokens"), "max_completion_tokens": openai("max_completion_tokens")},
            "max_tokens",
            2,
        ),
        (
            {"max_tokens": openai("max_tokens", "invalid_value", "max_tokens is too large: 64")},
            "max_tokens",
            1,
        ),
        ({"model": {"error": {"message": "max_tokens or model output limit was reached"}}}, "max_tokens", 1),
        ({"seed": openai("seed", "invalid_value", "seed must be below 10")}, "seed", 1),
        ({"model": openai("messages[0].role", "unsupported_value", "no 'system' with this model")}, None, 1),
        ({"model": openai("model", "unsupported_parameter", "no such thing")}, None, 1),
        ({"model": {"detail": [{"loc": ["body", "x"], "msg": "missing", "input": SAMPLING}]}}, None, 1),
        ({"model": b"<html>seed temperature</html>"}, None, 1),
    ],
)
def test_what_can_not_be_sent_otherwise_is_named(
    connect: Connect, bodies: dict[str, Any], parameter: str | None, requests: int
) -> None:
    """A value out of range, a limit that can't be renamed, anything else: no guess, and it ends at once."""
    server, service = connect(refusing(bodies))
    with pytest.raises(ServiceError) as error:
        service.chat("m", [], SAMPLING)
    assert (error.value.code, error.value.parameter) == ("refused", parameter)
    assert len(server.asked) == requests


def test_a_server_that_refuses_everything_is_asked_a_bounded_number_of_times(connect: Connect) -> None:
    """Each parameter is changed once at most, whatever the server says."""
    told = "unsupported: seed, temperature, max_tokens, max_completion_tokens, stream, top_p"
    server, service = connect(lambda asked: Answer({"error": {"message": told}}, 400))
    with pytest.raises(ServiceError):
        list(service.chat_stream("m", [], {**SAMPLING, "top_p": 1}))
    assert len(server.asked) <= 6


def test_a_model_that_can_not_stream_answers_whole(connect: Connect) -> None:
    """`ftrun chat` takes the answer in one piece then."""
    _, service = connect(refusing({"stream": openai("stream", "unsupported_value", "not with this model")}))
    assert list(service.chat_stream("m", [], SAMPLING)) == ["はい"]
