"""Rendering: rows become messages, errors name template and row, and no template costs more than its caps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun import untrusted
from ftrun.errors import ConfigError, DataError, UserError
from ftrun.experiment.templates.rendering import Renderer
from ftrun.untrusted import CappedProcess

from .conftest import Workplace

CHAT = """prompt:
  system: あなたは{{ mood }}猫
  user: "{{ q }}"
  assistant: "{{ a }}"
  vars: {mood: 元気な}
"""


TWINS = "".join(f"{{% set {x} = [1] %}}" + f"{{% set {x} = [{x}, {x}] %}}" * 40 for x in "xy")
TWINS += "{% if x == y %}{% endif %}"  # compared in C, two to the power of forty times
DOUBLING = "{{% set ns = namespace(x='ab') %}}{{% for i in range(60) %}}{{% set ns.x = {} %}}{{% endfor %}}"


def render(place: Workplace, template: str, row: dict[str, Any] | None = None) -> str:
    """Render `template` as the user's message of a row."""
    place.write("u.j2", template)
    renderer = Renderer(place.build("prompt: {user: u.j2, assistant: x}\n"))
    text = renderer.render_row({"q": "x"} if row is None else row, file="d.csv", line=7)[0]["content"]
    assert isinstance(text, str)
    return text


def test_a_row_becomes_three_messages(place: Workplace) -> None:
    """Columns and vars are names in the templates; data is never rendered itself."""
    messages = Renderer(place.build(CHAT)).render_row({"q": "{{ a }}", "a": "にゃ"})
    assert messages == [
        {"role": "system", "content": "あなたは元気な猫"},
        {"role": "user", "content": "{{ a }}"},
        {"role": "assistant", "content": "にゃ"},
    ]


def test_messages_keep_role_name_and_weight(place: Workplace) -> None:
    """A conversation of templates becomes messages of the same order."""
    renderer = Renderer(
        place.build(
            "prompt: {messages: [{role: system, content: s}, "
            "{role: user, content: '{{ q }}', name: '{{ n }}'}, "
            "{role: assistant, content: a, weight: 0}]}\n"
        )
    )
    assert renderer.render_row({"q": 1, "n": "taro"}) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "1", "name": "taro"},
        {"role": "assistant", "content": "a", "weight": 0},
    ]
    assert renderer.render_system() == "s"


def test_the_system_prompt_can_be_rendered_alone(place: Workplace) -> None:
    """Questions of the evaluation get it with `vars` alone; without one there is none."""
    assert Renderer(place.build(CHAT)).render_system() == "あなたは元気な猫"
    assert Renderer(place.build()).render_system() is None


def test_one_newline_at_the_end_of_a_file_is_dropped(place: Workplace) -> None:
    """Editors end files with a newline, prompts do not."""
    assert render(place, "a\n") == "a"
    assert render(place, "a\r\n\r\n") == "a\n"


def test_columns_win_over_methods(place: Workplace) -> None:
    """`row.items` is the column called items."""
    assert render(place, "{{ row.items }}{{ row['a b'] }}", {"items": 1, "a b": 2}) == "12"


def test_an_unknown_variable_names_the_nearest(place: Workplace) -> None:
    """The error has the template's place, the row's, the known names and the nearest one."""
    place.write("u.j2", "一行目\n質問: {{ qestion }}\n")
    renderer = Renderer(place.build("prompt: {user: u.j2, assistant: x}\n"))
    with pytest.raises(ConfigError) as caught:
        renderer.render_row({"question": 1, "answer": 2}, file=place.folder / "data.csv", line=12)
    problem = caught.value.problem
    assert problem.place == "u.j2:2:5"
    assert "'qestion' does not exist" in problem.message
    assert "data.csv:12" in problem.message
    assert problem.hint == "Did you mean `question`? Known names: answer, question, row."


def test_an_inline_template_has_its_place_in_the_yaml_file(place: Workplace) -> None:
    """Also in a block text the line is that of the YAML file."""
    with pytest.raises(ConfigError) as caught:
        Renderer(place.build("prompt:\n  system: |\n    a\n    b {{ x }}\n")).render_system()
    assert caught.value.problem.place.startswith("x.yaml:8:")


@pytest.mark.parametrize(
    ("value", "says"), [(None, "q is null"), (["a"], "q is a list"), ({"a": 1}, "q is a mapping")]
)
def test_null_and_structures_are_no_text(place: Workplace, value: Any, says: str) -> None:
    """What has no text of its own is an error of the data, at the row."""
    with pytest.raises(DataError) as caught:
        render(place, "{{ q }}", {"q": value})
    assert caught.value.problem.place == "d.csv:7"
    assert says in caught.value.problem.message
    assert "u.j2:1" in caught.value.problem.message


def test_null_may_be_tested_and_replaced(place: Workplace) -> None:
    """Only putting null out is an error."""
    assert render(place, "{% if q is none %}-{% endif %}{{ q or 'x' }}", {"q": None}) == "-x"


@pytest.mark.parametrize("column", ["mood", "row"])
def test_a_name_that_means_two_things_is_an_error(place: Workplace, column: str) -> None:
    """A column may not be called like an entry of `vars`, or `row`."""
    with pytest.raises(ConfigError, match=column) as caught:
        Renderer(place.build(CHAT)).render_row({"q": "x", "a": "y", column: 1}, file="d.csv", line=2)
    assert caught.value.problem.place == "d.csv:2"
    assert "columns:" in (caught.value.problem.hint or "")


def test_rows_without_templates_say_what_is_missing(place: Workplace) -> None:
    """An experiment without templates can't turn a plain row into a chat."""
    with pytest.raises(ConfigError, match="no templates"):
        Renderer(place.build()).render_row({"q": 1})


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("a\n{{ x ", 2),
        ("{% if x %}", 1),
        ("a\n\n{% frob %}", 3),
        ("{{ x | frob }}", 1),
        ("{% include 'no.j2' %}", 1),
    ],
)
def test_a_template_that_is_none_is_found_at_validation(place: Workplace, template: str, line: int) -> None:
    """Syntax errors, unknown filters and missing includes have a place before any data is read."""
    place.write("u.j2", template)
    problem = place.wrong_with("prompt: {user: u.j2, assistant: x}\n")
    assert (problem.file, problem.line) == ("u.j2", line)
    assert problem.column


def test_an_included_template_is_checked_too(place: Workplace) -> None:
    """An error in a file that a template includes is reported in that file."""
    place.write("part.j2", "ok\n{{ x ")
    place.write("u.j2", "{% include 'part.j2' %}")
    assert place.wrong_with("prompt: {user: u.j2, assistant: x}\n").place == "part.j2:2:1"


def test_includes_stay_in_the_folder(place: Workplace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Files beside the experiment can be included; nothing outside, no other kind of file, no link out."""
    place.write("parts/p.j2", "part {{ q }}")
    assert render(place, "{% include 'parts/p.j2' %}") == "part x"
    outside = tmp_path_factory.mktemp("outside") / "s.j2"
    outside.write_text("secret")
    (place.folder / "link.j2").symlink_to(outside)
    place.write("key.txt", "secret")
    for name in ("../outside0/s.j2", str(outside), "link.j2", "key.txt"):
        with pytest.raises(ConfigError):
            render(place, "{% set n = '" + name + "' %}{% include n %}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ row.update({'q': 1}) }}",
        "{{ '{0.__class__}'.format(q) }}",
        "{{ lipsum() }}",
    ],
)
def test_templates_do_not_reach_python(place: Workplace, template: str) -> None:
    """Attributes of the interpreter and changes of the data are out of reach."""
    with pytest.raises(ConfigError):
        render(place, template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10000000000 }}",
        "{{ 'aaaa' * 99999 * 99999 }}",
        "{{ 99999 ** 9999999 }}",
        "{% if 10 ** (10 ** 9) %}{% endif %}",
        "{% set x = 10 ** (10 ** 9) %}",
        "{% autoescape 10 ** (10 ** 9) %}{% endautoescape %}",
        "{% if ('a ' * 10 ** 7) | wordwrap(1) %}{% endif %}",
        "{% if range(99999) | map('center', 99999) | list %}{% endif %}",
        "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x | tojson | length }}",
        TWINS,
        "{{ 'a' | center(1000000000) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:{w}}'.format(1, w=1000000000) }}",
        "{{ '{:{w[w]}}'.format_map({'w': {'w': 1000000000}}) }}",
        "{{ 'a' | indent(1000000000, true) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}0123456789012345678901234567890123456789{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        DOUBLING.format("ns.x ~ ns.x"),
        DOUBLING.format("ns.x + ns.x"),
        DOUBLING.format("[ns.x, ns.x] | join"),
        DOUBLING.format("ns.x.replace('a', ns.x)"),
        DOUBLING.format("ns.x | replace('a', ns.x)"),
        "{% for i in range(60) %}{% set x %}{{ q }}{{ q * 900000000 }}{% endset %}{% endfor %}",
        "{% if (q ~ q) * 900000000 %}{% endif %}",
        "{% include 'u.j2' %}{% include 'u.j2' %}",
    ],
)
def test_no_template_costs_more_than_its_caps(place: Workplace, short: CappedProcess, template: str) -> None:
    """Whatever a template tries to blow up, it ends within seconds with an error about the template."""
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        render(place, template)
    assert time.process_time() - started < 8
    assert caught.value.code.startswith("template")
    assert caught.value.problem.place.startswith("u.j2:1")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[CappedProcess]:
    """Return the process for templates, with a cap that a test can wait for."""
    process = CappedProcess(seconds=0.3, credit=0.001)  # what a call may take for ever, on any machine
    monkeypatch.setattr(untrusted, "shared", process)
    yield process
    process.end()


def test_after_a_template_was_killed_others_are_rendered(place: Workplace, short: CappedProcess) -> None:
    """A renderer continues in another process."""
    renderer = Renderer(
        place.build("prompt: {user: \"{{ 9 ** n % 7 if n > 9 else 'ok' }}\", assistant: x}\n")
    )
    with pytest.raises(ConfigError, match=r"prompt\.user: it takes longer than 0\.3 seconds"):
        renderer.render_row({"n": 10**9})
    assert renderer.render_row({"n": 1})[0]["content"] == "ok"


def test_slow_rows_do_not_add_up(place: Workplace, short: CappedProcess) -> None:
    """A template that takes just less than the cap for each row ends soon, too."""
    loops = "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}"
    renderer = Renderer(place.build(f"prompt: {{user: '{loops}', assistant: x}}\n"))
    with pytest.raises(ConfigError, match="longer"):
        for _ in range(1000):
            renderer.render_row({"q": 1})


def test_waiting_is_no_part_of_what_a_call_takes() -> None:
    """A process that is stopped in the middle, or left without a processor, has not taken long."""
    process = CappedProcess(seconds=0.1)
    try:
        assert untrusted.Capped(threading.Event, process=process).call("wait", 0.5) is False
    finally:
        process.end()


def test_a_large_value_is_cut_off_with_an_error(place: Workplace) -> None:
    """An output above a million characters is refused, not sent."""
    assert len(render(place, "{{ q }}", {"q": "あ" * 1_000_000})) == 1_000_000
    with pytest.raises(ConfigError, match="1,000,000"):
        render(place, "{{ q }}", {"q": "あ" * 1_000_001})


@pytest.mark.parametrize("template", ["{{ q + 1 }}", "{{ 1 / 0 }}", "{{ q.x.y }}", "{{ q() }}"])
def test_any_failure_of_a_template_has_its_place(place: Workplace, template: str) -> None:
    """Errors of expressions are the template's, with file, line and the row."""
    with pytest.raises(ConfigError) as caught:
        render(place, template)
    assert (caught.value.problem.file, caught.value.problem.line) == ("u.j2", 1)
    assert "d.csv:7" in caught.value.problem.message


@pytest.mark.parametrize("template", ["{{ 10**5000 }}", "{{ '\\ud800' }}", "{{ ('<' * 10**9) | escape }}"])
def test_what_a_template_computes_is_its_own_fault(place: Workplace, template: str) -> None:
    """A constant that can't be computed or written, and a lone surrogate, are errors of the template."""
    with pytest.raises(ConfigError) as caught:
        render(place, template)
    assert (caught.value.problem.file, caught.value.problem.line) == ("u.j2", 1)


def test_a_long_line_is_shown_in_no_time(place: Workplace) -> None:
    """Keys are looked for in a line of hundreds of thousands of characters as well, at once."""
    for text in ("1+" * 120_000, "1" * 250_000, "a" * 250_000):
        place.write("u.j2", "{{ " + text)
        began = time.process_time()
        assert place.wrong_with("prompt: {user: u.j2, assistant: x}\n").line == 1
        assert time.process_time() - began < 5


def test_nfkc_gives_every_character_one_form(place: Workplace) -> None:
    """Full-width digits become plain ones, half-width kana full ones; null stays an error."""
    assert render(place, "{{ q | nfkc }}", {"q": "０９０ ｱｲ Ａ"}) == "090 アイ A"
    with pytest.raises(DataError, match="null"):
        render(place, "{{ q | nfkc }}", {"q": None})


def test_half_width_changes_digits_and_letters_alone(place: Workplace) -> None:
    """Digits, letters and what divides digits become half-width; marks, ①, ㈱ and ² stay what they are."""
    text = "ＡＢ１２．５、９：３０？ ①㈱ｱ x² －（１）"
    assert render(place, "{{ q | half_width }}", {"q": text}) == "AB12.5、9:30？ ①㈱ｱ x² －（1）"


def test_ordinary_templates_work(place: Workplace) -> None:
    """Loops, conditions, macros, filters and namespaces do what Jinja says."""
    template = (
        "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"
        "{% for n in [1, 2, 3] %}{{ n }}{{ ',' if not loop.last }}{% endfor %} {{ loop_length | default(0) }}"
        "{% for k, v in row.items() | sort %}{{ k }}={{ v }};{% endfor %}{{ twice('a' ~ q) | upper }}"
        "{{ ['b', 'c'] | join('-') }}{% set s %}{{ q }}!{% endset %}{{ s }}{{ 2 ** 8 }}{{ '%05.1f' % 2 }}"
        "{{ q.replace('x', 'ねこ') }}{{ '{}-{a}'.format(1, a=2) }}{{ row | tojson }}"
        "{% raw %}{{ }}{% endraw %}"
    )
    expected = '1,2,3 0q=x;AXAXb-cx!256002.0ねこ1-2{"q": "x"}{{ }}'
    assert render(place, template) == expected


def test_rendering_is_fast(place: Workplace) -> None:
    """Two thousand rows take well under two seconds."""
    renderer = Renderer(place.build(CHAT))
    started = time.process_time()
    for number in range(2000):
        renderer.render_row({"q": str(number), "a": "b"})
    assert time.process_time() - started < 2


def test_a_missing_attribute_of_a_row_lists_the_columns(place: Workplace) -> None:
    """`row.usr` gets the columns that the row has."""
    with pytest.raises(ConfigError) as caught:
        render(place, "{{ row.usr }}", {"user": 1, "answer": 2})
    assert caught.value.problem.hint == "Did you mean `user`? Known names: answer, user."
    assert caught.value.problem.file == str(Path("u.j2"))
