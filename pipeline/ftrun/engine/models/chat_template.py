"""Turn messages into token ids, in the same way for training and for chat.

The template is rendered turn by turn: before each assistant turn the text that prompts it, then what the turn
adds. The pieces are tokenized separately, so that the ids of a training example are those of the prompt, as
in chat, followed by those of the answer; no token spans both. Text that looks like a control token stays
text: only the template ends turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from ftrun.engine.backends import Rejected

# Gemma's base model has no template. Its turns have two speakers: a system text is put before the next user
# turn, or stays alone if none follows.
GEMMA = (
    "{{ bos_token }}{% set pending = namespace(system='') %}"
    "{% for message in messages %}"
    "{% if message.role == 'system' %}"
    "{% set pending.system = pending.system + message.content + '\n\n' %}"
    "{% elif message.role == 'assistant' %}"
    "{% if pending.system %}{{ '<start_of_turn>user\n' + pending.system + '<end_of_turn>\n' }}{% endif %}"
    "{{ '<start_of_turn>model\n' + message.content + '<end_of_turn>\n' }}{% set pending.system = '' %}"
    "{% else %}"
    "{{ '<start_of_turn>user\n' + pending.system + message.content + '<end_of_turn>\n' }}"
    "{% set pending.system = '' %}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{% if pending.system %}{{ '<start_of_turn>user\n' + pending.system + '<end_of_turn>\n' }}{% endif %}"
    "{{ '<start_of_turn>model\n' }}{% endif %}"
)
QUOTED = (
    "\ufdd0{}\ufdd1"  # replaces a special token in a message's text; noncharacters, so they are in no text
)
TEMPLATES: Mapping[str, str] = {"gemma-3-270m": GEMMA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Token ids, and whether each is learned: an assistant's text and the end of its turn are."""

    ids: Sequence[int]
    learned: Sequence[bool] | bytes


class ChatEncoder:
    """Turns messages into token ids with one model's tokenizer and chat template."""

    def __init__(self, tokenizer: Any) -> None:
        """Use a tokenizer of Transformers; raises Rejected if it has no chat template."""
        if not getattr(tokenizer, "chat_template", None):
            raise Rejected(
                "This model has no chat template, so it can't be trained on chats.", code="no_chat_template"
            )
        self._tokenizer = tokenizer
        # not `all_special_ids`: the end of a turn may not be one of the tokenizer's named tokens
        added = tokenizer.added_tokens_decoder.items()
        self._special = frozenset(number for number, token in added if token.special)
        self._names = [QUOTED[0], *(token.content for _, token in added if token.special)]
        longest_first = sorted(self._names, key=len, reverse=True)
        self._named = re.compile("|".join(map(re.escape, longest_first)))
        self.end_ids = self._end_ids()

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the ids of a prompt, after which the model answers."""
        ids: list[int] = []
        end = 0
        for start, stop, text in self._assistant_turns(messages):
            ids += self._ids(text[end:start]) + self._ids(text[start:stop])
            end = stop
        return ids + self._ids(self._render(messages, ask=True)[end:])

    def example(self, messages: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return the ids of a whole chat and which are learned; turns with `weight: 0` are only context."""
        ids: list[int] = []
        learned: list[bool] = []
        end = 0
        weights = iter([message.get("weight") != 0 for message in messages if message["role"] == "assistant"])
        for start, stop, text in self._assistant_turns(messages):
            prompt, answer = self._ids(text[end:start]), self._ids(text[start:stop])
            words = self._until_end_of_turn(answer) if next(weights) else 0
            ids += prompt + answer
            learned += [False] * len(prompt) + [place < words for place in range(len(answer))]
            end = stop
        return Encoded(ids=tuple(ids), learned=tuple(learned))

    def _assistant_turns(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, str]]:
        """Yield (start, stop, text so far) of each assistant turn in the rendered chat, with its end."""
        known = ""
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            prompt = self._render(messages[:index], ask=True)
            text = self._render(messages[: index + 1], ask=False)
            if not (text.startswith(prompt) and prompt.startswith(known)):
                raise Rejected(
                    "This model's chat template changes earlier turns when a later one is added, "
                    "so training and chat would not see the same text.",
                    code="unsupported_chat_template",
                )
            known = text
            yield len(prompt), len(text), text

    def _render(self, messages: Sequence[Mapping[str, Any]], *, ask: bool) -> str:
        plain = [_plain(message, self._quoted(message["content"])) for message in messages]
        try:
            rendered = self._tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=ask)
        except TemplateError as error:  # some templates refuse, for example, two user turns in a row
            raise Rejected(f"This model's chat template refuses a chat: {error}") from error
        assert isinstance(rendered, str)
        return rendered

    def _quoted(self, content: str) -> str:
        return self._named.sub(lambda found: QUOTED.format(self._names.index(found[0])), content)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = []
        for place, part in enumerate(re.split(QUOTED.format(r"(\d+)"), text)):
            words = self._names[int(part)] if place % 2 else part
            found = self._tokenizer(words, add_special_tokens=False, split_special_tokens=bool(place % 2))
            ids += found["input_ids"]
        return ids

    def _until_end_of_turn(self, answer: Sequence[int]) -> int:
        """Return how many of an assistant turn's ids are learned: up to the last special one, if any.

        What a template adds after the end of the turn (a line break) is never generated.
        """
        places = [place for place, token in enumerate(answer) if token in self._special]
        return places[-1] + 1 if places else len(answer)

    def _end_ids(self) -> frozenset[int]:
        """Return the ids that end an answer: the template's end of turn, and the end of text."""
        known = {self._tokenizer.eos_token_id} - {None}
        probe = self.example([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
        last = [token for token, learned in zip(probe.ids, probe.learned, strict=True) if learned][-1]
        return frozenset(known | ({last} & self._special))


def _plain(message: Mapping[str, Any], content: str) -> dict[str, str]:
    """Return role and content for a template; `developer` is the newer name of `system`."""
    role = "system" if message["role"] == "developer" else message["role"]
    return {"role": role, "content": content}
