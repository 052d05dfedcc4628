"""Templates of text and names alone are filled in without Jinja2, with what it would give."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ftrun.experiment.templates.plain import plain_filler
from ftrun.experiment.templates.sandbox import ExperimentEnvironment

NAMED = ["q", "a", "n", "missing", "質問", "range", "none", "row", "empty", "q | upper"]


OTHER = [
    "{{q}}",
    "{{ q}}",
    "{{  q }}",
    "{{- q }}",
    "{# no #}",
    "{# {{ no }} -#}",
    "{#- no -#}",
    "{#-#}",
    "{% raw %}x",
    "text",
    "\n",
    "\r\n",
    " ",
    "{",
    "}}",
    "100 %s",
]


PIECES = st.sampled_from([*("{{ " + name + " }}" for name in NAMED), *OTHER, "{ {", "あ"])


@given(st.lists(PIECES, max_size=6).map("".join))
def test_plain_templates_are_filled_in_as_jinja_would(text: str) -> None:
    """Templates of text and names alone take a short way that gives the same, and the same errors."""
    names = {"q": "<b>", "a": "{{ q }}", "n": 1.5, "質問": True, "empty": None, "row": {}}
    fill = plain_filler(text)
    short = fill(names) if fill else None
    if short is not None:
        environment = ExperimentEnvironment(Path())
        code = environment.compile(text)
        template = environment.template_class.from_code(environment, code, environment.make_globals(None))
        assert template.render(names) == short
