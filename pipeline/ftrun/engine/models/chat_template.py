"""Turn messages into token ids, in the same way for training and for chat.

The template is rendered turn by turn: before each assistant turn the text that prompts it, then what the turn
adds. The pieces are tokenized separately, so that the ids of a training example are those of the prompt, as
in chat, followed by those of the answer; no token spans both. Text that looks like a control token stays
text, in messages as in functions and their arguments: only the template ends turns.

Models that can think before they answer are asked not to: the chats they are trained on have no thoughts.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from jinja2.exceptions import TemplateError

from ftrun.engine.backends import Rejected
from ftrun.engine.models.call_form import CallForm, as_value, call_id, find_form

Message = Mapping[str, Any]

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
MANY_ANSWERS = 32
WORD = re.compile(r"\w")
TEMPLATES: Mapping[str, str] = {"gemma-3-270m": GEMMA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Token ids, and whether each is learned: an assistant's text and the end of its turn are."""

    ids: Sequence[int]
    learned: Sequence[bool] | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """An assistant's turn: the message's index, and where the turn is in `text`, which ends with it."""

    index: int
    start: int
    text: str


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
        self._added = {number: token.content for number, token in added}
        self._special = {number: token.content for number, token in added if token.special}
        self._names = [QUOTED[0], *self._special.values(), *self._markers()]
        longest_first = sorted(self._names, key=len, reverse=True)
        self._named = re.compile("|".join(map(re.escape, longest_first)))
        self._line_break = self._tokens("\n")
        self._adds_space = self._tokens("\na")[len(self._line_break) :] != self._tokens("a")
        self.end_ids = self._end_ids()

    @cached_property
    def call_form(self) -> CallForm | None:
        """How this model calls functions; None if its template has no tools, or calls that can't be read."""
        ends = [self._special[token] for token in self.end_ids & self._special.keys()]
        return find_form(self._render, ends)

    def _markers(self) -> list[str]:
        """Return the tokens that begin turns though they don't count as special, such as DeepSeek's."""
        chat = [{"role": role, "content": "a"} for role in ("user", "assistant", "user")]
        try:
            text = self._tokenizer.apply_chat_template(chat, tokenize=False)
        except (TemplateError, TypeError, ValueError):
            return []
        added = [token.content for token in self._tokenizer.added_tokens_decoder.values()]
        known = self._special.values()
        return [name for name in added if name in text and name not in known and WORD.search(name)]

    def special_in(self, text: str) -> dict[int, str]:
        """Return the special tokens, by id, whose names occur in `text`."""
        return {number: name for number, name in self._special.items() if name in text}

    def added_in(self, text: str) -> dict[int, str]:
        """Return the tokens added to the vocabulary, special or not, by id, whose names occur in `text`."""
        return {number: name for number, name in self._added.items() if name in text}

    def prompt(
        self, messages: Sequence[Message], functions: Sequence[Message] = (), *, most: int | None = None
    ) -> list[int]:
        """Return the ids of a prompt, after which the model answers; `functions` are those of Tools. Of one
        with more than `most` ids only their number is about right.

        Raises Rejected if there are functions, or calls in the messages, and the template has no tools.
        """
        self._check_tools(messages, functions)
        plain, tools = [*self._plain(messages)], self._tools(functions)
        text, answers = self._rendered(plain, tools, ask=True), _answers(messages)
        if most is not None and len(answers) > MANY_ANSWERS and len(whole := self._ids(text)) > most:
            return whole  # each turn is another chat to render
        cuts = {0, len(text)}
        for index in answers:
            with contextlib.suppress(Rejected):
                turn = self._turn(plain, index, tools)
                if text.startswith(turn.text):  # else the template changes earlier turns: read as they stand
                    cuts |= {turn.start, len(turn.text)}
        return [token for start, stop in pairwise(sorted(cuts)) for token in self._ids(text, start, stop)]

    def examples(self, messages: Sequence[Message]) -> list[Encoded]:
        """Return what is learned from a chat; turns with `weight: 0` are only context.

        All turns are one example. But if the template changes earlier turns when a later one is added, each
        turn is an example of its own, after the prompt that a chat has there.
        Raises Rejected if an answer doesn't continue its prompt.
        """
        plain = [*self._plain(messages)]
        turns = [self._turn(plain, index) for index in _answers(messages)]
        learned = [turn for turn in turns if messages[turn.index].get("weight") != 0]
        if all(turns[-1].text.startswith(turn.text) for turn in turns):
            return [self._example(turns, learned)]
        return [self._answer(messages, turn) for turn in learned]

    def _example(self, turns: Sequence[_Turn], learned: Sequence[_Turn]) -> Encoded:
        ids: list[int] = []
        flags: list[bool] = []
        end = 0
        for turn in turns:
            prompt, answer = self._ids(turn.text, end, turn.start), self._ids(turn.text, turn.start)
            words = self._until_end_of_turn(answer) if turn in learned else 0
            ids += prompt + answer
            flags += [False] * len(prompt) + [place < words for place in range(len(answer))]
            end = len(turn.text)
        return Encoded(ids=tuple(ids), learned=tuple(flags))

    def _answer(self, messages: Sequence[Message], turn: _Turn) -> Encoded:
        prompt, answer = self.prompt(messages[: turn.index]), self._ids(turn.text, turn.start)
        words = self._until_end_of_turn(answer)
        flags = [False] * len(prompt) + [place < words for place in range(len(answer))]
        return Encoded(ids=(*prompt, *answer), learned=tuple(flags))

    def _turn(self, plain: Sequence[Message], index: int, tools: Sequence[Message] = ()) -> _Turn:
        prompt = self._rendered(plain[:index], tools, ask=True)
        text = self._rendered(plain[: index + 1], tools, ask=False)
        if not text.startswith(prompt):
            raise Rejected(
                "This model's chat template changes earlier turns when a later one is added, "
                "so training and chat would not see the same text.",
                code="unsupported_chat_template",
            )
        return _Turn(index=index, start=len(prompt), text=text)

    def _check_tools(self, messages: Sequence[Message], functions: Sequence[Message]) -> None:
        """Raise Rejected if the template would ignore functions or calls."""
        used = any(message["role"] == "tool" or message.get("tool_calls") for message in messages)
        if (functions or used) and self.call_form is None:
            raise Rejected(
                "This model can't call functions: its chat template has no tools, or calls in a form that "
                "this engine can't read. Use a model with tools, such as Qwen3 or Llama 3, or ask without "
                "tools.",
                code="unsupported_parameter",
                param="tools" if functions else "messages",
            )

    def _render(self, messages: Sequence[Message], functions: Sequence[Message], *, ask: bool) -> str:
        return self._rendered([*self._plain(messages)], self._tools(functions), ask=ask)

    def _tools(self, functions: Sequence[Message]) -> list[dict[str, Any]]:
        return [{"type": "function", "function": self._quoted(_declared(one))} for one in functions]

    def _rendered(self, plain: Sequence[Message], tools: Sequence[Message], *, ask: bool) -> str:
        try:
            rendered = self._tokenizer.apply_chat_template(
                [*plain],
                tools=[*tools] or None,
                tokenize=False,
                add_generation_prompt=ask,
                enable_thinking=False,
            )
        except (TemplateError, TypeError, ValueError) as error:  # some refuse two user turns in a row
            raise Rejected(f"This model's chat template refuses a chat: {error}") from error
        assert isinstance(rendered, str)
        return rendered

    def _plain(self, messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
        """Yield messages for a template; `developer` is the newer name of `system`.

        Calls are numbered, since some templates take only ids of nine letters and digits.
        """
        called: dict[str, tuple[str, str]] = {}  # number and function by id
        for message in messages:
            role = "system" if message["role"] == "developer" else message["role"]
            plain = {"role": role, "content": self._quoted(message.get("content") or "")}
            if role == "tool":
                number, name = called.get(message["tool_call_id"], (call_id(0), ""))
                plain |= {"tool_call_id": number, "name": name}
            for call in message.get("tool_calls") or ():
                number, function = call_id(len(called) + 1), call["function"]
                called[call["id"]] = (number, function["name"])
                said = {"name": function["name"], "arguments": as_value(function["arguments"])}
                one = {"id": number, "type": "function", "function": self._quoted(said)}
                plain.setdefault("tool_calls", []).append(one)
            yield plain

    def _quoted(self, value: Any) -> Any:
        """Return a text with its special tokens quoted, or a value of JSON with all texts in it so."""
        if isinstance(value, str):
            return self._named.sub(lambda found: QUOTED.format(self._names.index(found[0])), value)
        if isinstance(value, Mapping):
            return {self._quoted(key): self._quoted(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._quoted(inner) for inner in value]
        return value

    def _ids(self, text: str, start: int = 0, stop: int | None = None) -> list[int]:
        """Return the ids of a piece of `text`."""
        ids: list[int] = []
        for place, part in enumerate(re.split(QUOTED.format(r"(\d+)"), text[start:stop])):
            for words in self._apart(self._names[int(part)]) if place % 2 else (part,):
                if words:
                    ids += self._tokens(words, plain=bool(place % 2), inside=bool(start or place or ids))
        return ids

    def _apart(self, name: str) -> Sequence[str]:
        """Return the parts in which a quoted token is read: tokenizers only split those that are special."""
        return (name,) if name in (QUOTED[0], *self._special.values()) else (name[:1], name[1:])

    def _tokens(self, words: str, *, plain: bool = False, inside: bool = False) -> list[int]:
        """Return the ids of `words`, of special tokens too unless `plain`; `inside` is after others."""
        if inside and self._adds_space:  # SentencePiece adds a space at the beginning of what it is given
            ids = self._tokens("\n" + words, plain=plain)
            if ids[: len(self._line_break)] == self._line_break:
                return ids[len(self._line_break) :]
        found = self._tokenizer(words, add_special_tokens=False, split_special_tokens=plain)
        return list(found["input_ids"])

    def _until_end_of_turn(self, answer: Sequence[int]) -> int:
        """Return how many of an assistant turn's ids are learned: up to the last special one, if any.

        What a template adds after the end of the turn (a line break) is never generated.
        """
        places = [place for place, token in enumerate(answer) if token in self._special]
        return places[-1] + 1 if places else len(answer)

    def _end_ids(self) -> frozenset[int]:
        """Return the ids that end an answer: the template's end of turn, and the end of text."""
        known = {self._tokenizer.eos_token_id} - {None}
        (probe,) = self.examples([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
        last = [token for token, learned in zip(probe.ids, probe.learned, strict=True) if learned][-1]
        return frozenset(known | ({last} & self._special.keys()))


def _answers(messages: Sequence[Message]) -> list[int]:
    """Return the indices of the assistant's messages."""
    return [index for index, message in enumerate(messages) if message["role"] == "assistant"]


def _declared(function: Message) -> dict[str, Any]:
    """Return a function as templates expect it; `strict` is not for the model."""
    declared = {"description": "", "parameters": {"type": "object", "properties": {}}, **function}
    return {key: value for key, value in declared.items() if key != "strict" and value is not None}
