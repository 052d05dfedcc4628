"""Ollama's Modelfile for a GGUF file: chat template, system prompt and how to sample.

Ollama knows no Jinja. The text that a chat template puts around each turn is found by rendering chats with
marks in them, and is used if chats of several turns then look the same as with the template itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from jinja2.exceptions import TemplateError

Messages = Sequence[Mapping[str, str]]
Render = Callable[[Messages, bool], str]  # the second says whether the model is to answer
QUOTES = '"""'
MARK = "\ufdd0{}\ufdd1"  # noncharacters, so they are in no template
LONGEST_CONTEXT = 8192  # tokens of memory that a Modelfile asks for; Ollama's default is fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The texts around the turns of a chat: before the first user turn, without and with a system text
    before it; before the system text, other user turns and an assistant's turn; after a user's and an
    assistant's turn; and what asks for an answer.
    """

    first: str
    after_system: str
    system: str
    user: str
    assistant: str
    user_end: str
    assistant_end: str
    ask: str

    def render(self, messages: Messages) -> str:
        """Return a chat, with a system text at most at its beginning, that asks for an answer."""
        text, led = "", messages[0]["role"] == "system"
        for place, message in enumerate(messages):
            match message["role"]:
                case "system":
                    text += self.system + message["content"]
                case "user":
                    before = (
                        self.first if place == 0 else self.after_system if led and place == 1 else self.user
                    )
                    text += before + message["content"] + self.user_end
                case _:
                    text += self.assistant + message["content"] + self.assistant_end
        return text + self.ask

    def go_template(self) -> str:
        """Return the same as a template of Go, as Ollama takes it."""
        user = (
            f"{{{{ if eq $i 0 }}}}{_go(self.first)}{{{{ else if and $.System (eq $i 1) }}}}"
            f"{_go(self.after_system)}{{{{ else }}}}{_go(self.user)}{{{{ end }}}}"
        )
        return (
            '{{ range $i, $_ := .Messages }}{{ if eq .Role "system" }}'
            f'{_go(self.system)}{{{{ .Content }}}}{{{{ else if eq .Role "user" }}}}'
            f"{user}{{{{ .Content }}}}{_go(self.user_end)}"
            f'{{{{ else if eq .Role "assistant" }}}}{_go(self.assistant)}{{{{ .Content }}}}'
            f"{_go(self.assistant_end)}{{{{ end }}}}{{{{ end }}}}{_go(self.ask)}"
        )


def turns_of(render: Render) -> Turns | None:
    """Return the texts around turns; None if the template does more than put texts around them."""
    numbers = count()

    def turn(role: str) -> dict[str, str]:
        return {"role": role, "content": MARK.format(next(numbers))}

    def parts(messages: Messages, *, ask: bool = False) -> list[str]:
        text, found = render(messages, ask), list[str]()
        for message in messages:
            before, mark, text = text.partition(message["content"])
            if not mark:
                raise ValueError(message["role"])
            found.append(before)
        return [*found, text]

    user, answer, more, system = turn("user"), turn("assistant"), turn("user"), turn("system")
    try:
        led = parts([system, user])
        first, between, again, user_end = parts([user, answer, more])
        assistant_end = parts([user, answer])[-1]
        turns = Turns(
            first=first,
            after_system=led[1],
            system=led[0],
            user=again.removeprefix(assistant_end),
            assistant=between.removeprefix(user_end),
            user_end=user_end,
            assistant_end=assistant_end,
            ask=parts([user], ask=True)[-1].removeprefix(user_end),
        )
        chats: list[list[dict[str, str]]] = [[user], [user, answer, more], [user, answer, more, answer, user]]
        chats += [[system, *chat] for chat in chats]
        return turns if all(turns.render(chat) == render(chat, True) for chat in chats) else None
    except (TemplateError, ValueError):
        return None


def modelfile(
    gguf: str,
    *,
    turns: Turns | None,
    system: str | None,
    ends: Sequence[str],
    temperature: Any,
    context: int,
) -> str:
    """Return the Modelfile for the file `gguf`; `ends` are the tokens that end an answer."""
    lines = [f"FROM ./{gguf}"]
    template = None if turns is None else turns.go_template()
    if template is None or QUOTES in template:
        lines.append(
            "# The chat template can't be written for Ollama: check its answers, or use llama-server."
        )
    else:
        lines.append(f"TEMPLATE {QUOTES}{template}{QUOTES}")
    if system is not None and QUOTES in system:
        lines.append('# The system prompt has """, which a Modelfile can\'t hold: send it with each chat.')
    elif system is not None:
        lines.append(f"SYSTEM {QUOTES}{system}{QUOTES}")
    lines += [f"PARAMETER stop {_quoted(end)}" for end in ends]
    lines += [
        f"PARAMETER temperature {temperature}",
        "PARAMETER repeat_penalty 1",  # Ollama's default changes what is most likely
        f"PARAMETER num_ctx {min(context, LONGEST_CONTEXT)}",
    ]
    return "\n".join(lines) + "\n"


def _go(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    return f'"{text}"'
