"""ftrun.engine.inference.constraint: which tokens may come next, and what can't be decoded."""

from __future__ import annotations

from typing import Any

import pytest

from ftrun.engine.backends import Rejected
from ftrun.engine.inference.constraint import Grammars, json_grammar
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.questions import Constraint

pytestmark = pytest.mark.local

CAT = {
    "type": "object",
    "properties": {"名前": {"type": "string"}, "年": {"type": "integer"}},
    "required": ["名前", "年"],
    "additionalProperties": False,
}


def accepted(model: LoadedModel, text: str, schema: dict[str, Any] | None = None) -> bool:
    """Return whether the tokens of `text` are allowed one after the other, and then the end."""
    guide = Grammars(model).guide(json_grammar(Constraint(schema=schema)), param="response_format")
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
    ],
)
def test_a_schema_that_cannot_be_decoded_is_refused(
    tiny: LoadedModel, schema: dict[str, Any], problem: str
) -> None:
    """The message says what is wrong with it, and which field of the request that is."""
    with pytest.raises(Rejected, match=problem.replace("[", r"\[")) as caught:
        accepted(tiny, "{}", schema)
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "response_format")
