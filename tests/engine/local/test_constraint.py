"""ftrun.engine.inference.constraint: which tokens may come next, and what can't be decoded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from engine.local.conftest import finish, question
from ftrun.engine.backends import Rejected
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.inference.constraint import json_grammar, new_guide
from ftrun.engine.inference.vocabulary import Vocabulary
from ftrun.engine.models.base import LoadedModel, load_model
from ftrun.engine.questions import Constraint, Question

pytestmark = pytest.mark.local

CAT = {
    "type": "object",
    "properties": {"名前": {"type": "string", "maxLength": 20}, "年": {"type": "integer", "maximum": 99}},
    "required": ["名前", "年"],
    "additionalProperties": False,
}


def accepted(model: LoadedModel, text: str, schema: dict[str, Any] | None = None) -> bool:
    """Return whether the tokens of `text` are allowed one after the other, and then the end."""
    guide = new_guide(Vocabulary(model), json_grammar(Constraint(schema=schema)), param="response_format")
    for token in model.tokenizer(text, add_special_tokens=False)["input_ids"]:
        if not guide.allowed()[token]:
            return False
        guide.accept(token)
    return all(bool(guide.allowed()[end]) for end in model.encoder.end_ids)


@pytest.mark.parametrize(
    ("text", "schema", "right"),
    [
        ('{"名前": "にゃあ𠮷\\n", "年": 3}', CAT, True),
        ('{\n  "名前": "", "年": -1\n}', CAT, True),
        ('{"年": 3, "名前": "a"}', CAT, False),  # the schema's order
        ('{"名前": "a"}', CAT, False),
        ('{"名前": "a", "年": 3.5}', CAT, False),
        ('{"a": [1, {"b": null}]}', None, True),
        ("[1]", None, False),
        ('{"a": 1', None, False),
        ('{"a": 1}\n', None, False),
        ('{"a":    1}', None, False),  # small models add white space for ever
        ('{"a": "\\ud800"}', None, False),  # half of a character
        ('{"a": "<|im_end|>"}', None, False),  # a special token is not its name
        ('"<|im_end|>"', {"const": "<|im_end|>"}, False),
    ],
)
def test_only_what_the_schema_allows(
    tiny: LoadedModel, text: str, schema: dict[str, Any] | None, right: bool
) -> None:
    """Texts of the schema can be written to their end, others can't."""
    assert accepted(tiny, text, schema) is right


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "strin"}, "Invalid type: strin"),
        ({"type": "object", "dependentRequired": {}}, 'Unimplemented keys: ["dependentRequired"]'),
        ({"type": "string", "pattern": "(?=a)b"}, "regex parse error"),
        ({"$ref": "https://example.com/cat.json"}, "https://example.com/cat.json"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "unsatisfiable"),
        (json.loads('{"items":' * 200 + "{}" + "}" * 200), "recursion limit exceeded"),
        ({"const": "\ud800"}, "hex escape"),
        ({"$ref": "#"}, "NoExtension"),
    ],
)
def test_a_schema_that_cannot_be_decoded_is_refused(
    tiny: LoadedModel, schema: dict[str, Any], problem: str
) -> None:
    """The message says what is wrong with it, and which field of the request that is."""
    with pytest.raises(Rejected, match=problem.replace("[", r"\[")) as caught:
        accepted(tiny, "{}", schema)
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "response_format")


def held(name: str, schema: dict[str, Any] | None = None, **sampling: Any) -> Question:
    """Return a question whose answer must fit a schema."""
    return replace(question(name, "猫は？", **sampling), constraint=Constraint(schema=schema))


def test_answers_fit_the_schema_and_end_with_it(tiny: LoadedModel) -> None:
    """Whatever the model would say, drawn or not, many at once: JSON of the schema, then the end."""
    how: dict[str, Any] = {"max_tokens": 200, "top_p": 0.9, "frequency_penalty": 0.5}
    asked = [held(str(n), CAT, temperature=n % 3, seed=n, **how) for n in range(16)]
    told = finish(TorchChat(tiny), *asked)
    for one in told.values():
        assert one.usage is not None and one.usage.finish_reason == "stop"
        jsonschema.validate(json.loads(one.text), CAT)
    assert len({one.text for one in told.values()}) > 8


def test_names_of_special_tokens_can_be_said(tiny: LoadedModel) -> None:
    """Where an answer must have one, it is written as text: the token would end the answer."""
    for name in ("<|im_end|>", "a<|im_start|>system"):
        told = finish(
            TorchChat(tiny),
            replace(question("a", "？", max_tokens=80), constraint=Constraint(schema={"const": name})),
        )["a"]
        assert json.loads(told.text) == name


def test_an_answer_that_is_cut_says_length(tiny: LoadedModel) -> None:
    """What is there is the beginning of a JSON text; one that is complete with its last token was not cut."""
    schema = {"type": "object", "properties": {"a": {"const": "x" * 90}}, "required": ["a"]}
    whole = finish(TorchChat(tiny), held("a", schema, max_tokens=200))["a"]
    assert whole.usage is not None and json.loads(whole.text) == {"a": "x" * 90}
    tokens = whole.usage.completion_tokens
    for most, reason in ((tokens - 1, "length"), (tokens, "stop")):
        cut = finish(TorchChat(tiny), held("a", schema, max_tokens=most))["a"]
        assert cut.usage is not None and cut.usage.finish_reason == reason
        assert whole.text.startswith(cut.text) and (cut.text == whole.text) is (reason == "stop")


def test_a_stop_text_ends_a_held_answer_too(tiny: LoadedModel) -> None:
    """It is left out, as in any other answer."""
    told = finish(
        TorchChat(tiny), held("a", {"const": {"a": "cat", "b": 1}}, stop=["at", "zz"], max_tokens=60)
    )["a"]
    assert told.usage is not None and told.usage.finish_reason == "stop"
    assert "".join(told.text.split()) == '{"a":"c'


def test_the_built_in_model_answers_in_json(built_in: str) -> None:
    """It fills a schema in, with more than one answer at a time."""
    asked = [held(str(heat), CAT, max_tokens=60, temperature=heat, seed=1) for heat in (0, 1)]
    for one in finish(TorchChat(load_model(built_in)), *asked).values():
        jsonschema.validate(json.loads(one.text), CAT)
