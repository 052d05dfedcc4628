"""ftrun.engine.export.ollama: a chat template's texts around turns, and the Modelfile with them."""

from __future__ import annotations

from jinja2 import Environment

from ftrun.engine.export.ollama import Messages, Render, modelfile, turns_of
from ftrun.engine.models.chat_template import GEMMA

CHATML = (
    "{% for message in messages %}{% if loop.first and message.role != 'system' %}<|im_start|>system\nBe "
    "kind<|im_end|>\n{% endif %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST] {{ message.content }} "
    "[/INST]{% elif message.role == 'assistant' %} {{ message.content }}</s>{% else %}"
    "{{ raise_exception('no system') }}{% endif %}{% endfor %}"
)
CHAT = [
    {"role": "system", "content": "短く。"},
    {"role": "user", "content": "猫は？"},
    {"role": "assistant", "content": "にゃあ"},
    {"role": "user", "content": "{{ 犬 }}は？"},
]


def renderer(template: str) -> Render:
    """Return how Transformers would render a chat template."""
    compiled = Environment().from_string(template)

    def render(messages: Messages, ask: bool) -> str:
        text: str = compiled.render(messages=messages, add_generation_prompt=ask, bos_token="<bos>")
        return text

    return render


def test_turns_look_as_with_the_chat_template() -> None:
    """Whether a system text is a turn of its own or a part of the first one, or has a default."""
    for template in (CHATML, GEMMA):
        render = renderer(template)
        turns = turns_of(render)
        assert turns is not None
        for chat in (CHAT, CHAT[:2], CHAT[1:], CHAT[1:2]):
            assert turns.render(chat) == render(chat, True)


def test_a_template_that_does_more_is_not_guessed() -> None:
    """One that refuses a system text, or that treats the last turn in its own way, gives no turns."""
    assert turns_of(renderer(LLAMA2)) is None
    last = CHATML.replace("{{ message.content }}", "{{ message.content if loop.last else 'earlier' }}")
    assert turns_of(renderer(last)) is None


def test_a_modelfile_asks_as_the_evaluation_did() -> None:
    """It has template, system prompt, end and greedy sampling without a penalty for repetition."""
    turns = turns_of(renderer(CHATML))
    assert turns is not None
    said = modelfile(
        "model.gguf",
        turns=turns,
        system="あなたは\n灯台守です。",
        ends=["<|im_end|>"],
        temperature=0,
        context=2048,
    )
    assert said.startswith('FROM ./model.gguf\nTEMPLATE """{{ range $i, $_ := .Messages }}')
    assert said.endswith(
        'SYSTEM """あなたは\n灯台守です。"""\nPARAMETER stop "<|im_end|>"\nPARAMETER temperature 0\n'
        "PARAMETER repeat_penalty 1\nPARAMETER num_ctx 2048\n"
    )
    assert said.count("{{ .Content }}") == 3 and said.count("{{ if ") == said.count("{{ end }}") - 1 == 2


def test_what_a_modelfile_cant_hold_is_said_or_left_out() -> None:
    """Without a template it says so; a text with its own quotes would end the file early."""
    said = modelfile("model.gguf", turns=None, system='a """ b', ends=[], temperature=0.5, context=100_000)
    assert "\n# The chat template" in said and "\nSYSTEM" not in said
    assert "\n# The system prompt" in said and "num_ctx 8192" in said
