"""Lists of turns, as datasets write conversations, and the messages that they become.

A turn names its speaker (`{"from": "human", "value": "…"}`), has a key for each speaker
(`{"user": "…", "assistant": "…"}`), is a pair (`["…", "…"]`) or a text, whose speakers alternate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftrun.data.shapes.parts import is_parts, parts_of, text_of
from ftrun.data.shapes.tools import calls_of, tagged_calls, tagged_responses, tagged_tools, tools_of
from ftrun.data.shapes.values import ShapeFault, as_text, decoded, plain, role_of
from ftrun.protocol.faults import shown

SPEAKER = ("role", "from", "speaker", "author", "sender")
SAID = ("content", "value", "text", "message", "parts", "body", "utterance")
ASKS = ("user", "human", "question", "input", "prompt", "query", "instruction", "q", "質問", "ユーザー")
ANSWERS = ("assistant", "gpt", "answer", "output", "response", "completion", "reply", "bot", "model", "a",
           "ai", "回答", "アシスタント")  # fmt: skip
TRAINED = ("train", "trainable", "loss")  # true or false: whether an answer is learned
MARKS = (  # of speakers in a text: how it begins, and what marks each turn
    (re.compile(r"\s*###\s*(?:Human|User|System)\s*:"), r"###\s*(Human|Assistant|User|System)\s*:"),
    (re.compile(r"\s*<\|im_start\|>"), r"<\|im_start\|>[ \t]*(\w+)[ \t]*\n"),
    (
        re.compile(r"\s*(?:Human|User|System):(?s:.*)\n\nAssistant:"),
        r"(?:\A\s*|\n\n)(Human|Assistant|User|System):",
    ),
    (
        re.compile(r"\s*(?:Human|User|System):(?s:.*)\nAssistant:"),
        r"(?:\A\s*|\n)(Human|Assistant|User|System):",
    ),
)
LAST_MARK = re.compile(r"<\|(?:im_end|endoftext)\|>")
TURN_FIX = 'Write a turn as {"role": "user", "content": "..."}.'
ROLE_FIX = "Name the speaker on the source: `roles: {user: NAME, assistant: NAME}`."


class Talk:
    """Messages made of turns. `places` says for each from which place of the row it comes, `keys` of some
    places which key there holds the text.
    """

    def __init__(self, roles: Mapping[str, tuple[str, ...]] | None = None, *, tags: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self.places: list[str] = []
        self.keys: dict[str, str] = {}
        self.tools: list[Any] = []
        self._roles, self._tags = roles, tags
        self._waiting: list[tuple[str, str]] = []  # id and function of calls without a result
        self._calls = 0

    def add_all(self, value: Any, place: str) -> None:
        """Add a list of turns, or the text that holds one."""
        turns = turns_in(value)
        if turns is None:
            raise ShapeFault(f"`{place}` is {shown(value)}, not a list of turns", TURN_FIX)
        texts = all(isinstance(one, str) for one in turns)
        for index, turn in enumerate(turns):
            here = f"{place}[{index}]" if not isinstance(turn, _Spoken) else f"{place} (turn {index + 1})"
            if texts:
                self.say(("user", "assistant")[index % 2], turn, here)
            else:
                self._add(turn, here)

    def say(self, role: str, content: Any, place: str) -> None:
        """Add a message of a role; a system prompt goes first."""
        if role == "call":
            self._call(calls_of(content, place), place)
        elif role == "tool":
            self._result({}, content, place)
        else:
            self._put({"role": role, "content": content}, place)

    def _put(self, message: dict[str, Any], place: str) -> None:
        if self._tags and isinstance(message.get("content"), str):
            message, calls = self._untagged(message, place)
            if message is not None:
                self._append(message, place)
            if calls:
                self._call(calls_of(calls, place), place)
            return
        self._append(message, place)

    def _append(self, message: dict[str, Any], place: str) -> None:
        self._waiting = []
        self.messages.append(message)
        self.places.append(place)

    def _untagged(self, message: dict[str, Any], place: str) -> tuple[Any, list[Any]]:
        """Return a message without Hermes' tags (None: nothing else was in it), and its calls."""
        role, text = message["role"], message["content"]
        if role in ("system", "developer"):
            rest, tools = tagged_tools(text, place)
            self.tools += tools
            return ({**message, "content": rest} if rest.strip() or not tools else None), []
        if role == "assistant":
            rest, calls = tagged_calls(text, place)
            return ({**message, "content": rest} if rest or not calls else None), calls
        if role == "user" and text.lstrip().startswith("<tool_response>"):
            self._result({}, text, place)
            return None, []
        return message, []

    def _add(self, turn: Any, place: str) -> None:
        if isinstance(turn, (list, tuple)):
            self._pair(turn, place)
            return
        if isinstance(turn, _Spoken):
            self.say(self._role(turn.speaker, place), turn.text, place)
            return
        if not isinstance(turn, Mapping):
            raise ShapeFault(f"{place} is {shown(turn)}, not a turn", TURN_FIX)
        key = speaker_key(turn)
        if key is None:
            self._keyed(turn, place)
            return
        speaker = turn[key].get("role") if isinstance(turn[key], Mapping) else turn[key]
        if not isinstance(speaker, str):
            raise ShapeFault(f"{place}.{key} is {shown(speaker)}, not the name of a speaker", TURN_FIX)
        self._spoken(turn, self._role(speaker, f"{place}.{key}"), place)

    def _role(self, speaker: str, place: str) -> str:
        role = role_of(speaker, self._roles)
        if role is None:
            raise ShapeFault(f"{place} is {shown(speaker)}, a speaker whose role is unknown", ROLE_FIX)
        return role

    def _spoken(self, turn: Mapping[str, Any], role: str, place: str) -> None:
        said = next((key for key in SAID if turn.get(key) is not None), None)
        content = turn[said] if said is not None else None
        if said is not None:
            self.keys[place] = said
        if role == "call":
            self._call(calls_of(content, place), place)
            return
        if role == "tool" and not is_parts(content):
            content = as_text(content)
        content, calls, results = parts_of(content, place)
        calls += _made_calls(turn, place)
        if role == "tool" or (results and not calls):
            for result in results or [content]:
                self._result(turn, result, place)
        else:
            self._message(turn, role, content, calls, place)

    def _message(
        self, turn: Mapping[str, Any], role: str, content: Any, calls: list[Any], place: str
    ) -> None:
        message: dict[str, Any] = {"role": role, "content": content}
        name = turn.get("name")
        if isinstance(name, str) and name.strip() and plain(name) != plain(str(turn.get("role", role))):
            message["name"] = name
        weight = turn.get(
            "weight", next((turn[key] for key in TRAINED if isinstance(turn.get(key), bool)), None)
        )
        if role == "assistant" and weight is not None:
            message["weight"] = int(weight) if weight in (0, 1) else weight
        if not calls or content:
            self._put(message, place)
        if calls:
            self._call(calls_of(calls, place), place)

    def _keyed(self, turn: Mapping[str, Any], place: str) -> None:
        """Add the messages of a turn that has one key for each speaker."""
        keys = [key for key in turn if turn[key] is not None and self._key_role(key) is not None]
        if not keys:
            raise ShapeFault(f"{place} names no speaker; its keys are {shown(list(turn))}", TURN_FIX)
        order = ("system", "developer", "user", "assistant")
        for key in sorted(keys, key=lambda one: order.index(str(self._key_role(one)))):
            role = str(self._key_role(key))
            if turn[key] != "" or role == "assistant":
                self.say(role, text_of(turn[key]), f"{place}.{key}")

    def _key_role(self, key: str) -> str | None:
        if key.lower() in ASKS:
            return "user"
        if key.lower() in ANSWERS:
            return "assistant"
        role = role_of(key, self._roles)
        return role if role in ("system", "developer", "user", "assistant") else None

    def _pair(self, turn: Sequence[Any], place: str) -> None:
        if len(turn) != 2 or not all(one is None or isinstance(one, str) for one in turn):
            raise ShapeFault(f"{place} is {shown(turn)}, not a pair of two texts", TURN_FIX)
        for number, role in enumerate(("user", "assistant")):
            if turn[number] or role == "assistant":  # an assistant who speaks first has no question
                self.say(role, turn[number] or "", f"{place}[{number}]")

    def _call(self, calls: Sequence[tuple[str | None, str, str]], place: str) -> None:
        """Add calls to the assistant's last message, or as one of its own."""
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant" or ("tool_calls" in last and not self._waiting):
            self._append({"role": "assistant", "tool_calls": []}, place)
            last = self.messages[-1]
        for given, name, arguments in calls:
            self._calls += 1
            call = given or f"call_{self._calls}"
            function = {"name": name, "arguments": arguments}
            last.setdefault("tool_calls", []).append({"id": call, "type": "function", "function": function})
            self._waiting.append((call, name))
        if not last.get("content"):
            last.pop("content", None)

    def _result(self, turn: Mapping[str, Any], content: Any, place: str) -> None:
        """Add the result of a call: of the one that it names, else of the oldest without one."""
        named = turn.get("name") if isinstance(turn.get("name"), str) else None
        given = turn.get("tool_call_id")
        results: list[tuple[str | None, Any]] = [(named, content)]
        if isinstance(content, str) and "<tool_response>" in content and self._tags:
            results = list(tagged_responses(content))
        elif isinstance(given, str) and given:
            results = [(None, content)]
        elif 1 < len(self._waiting) == _length(decoded(content)) and named is None:
            results = [(None, one) for one in decoded(content)]
        for name, result in results:
            self._answer(name, given, result, place)

    def _answer(self, name: str | None, given: Any, result: Any, place: str) -> None:
        asked = [one for one in self._waiting if one[0] == given] or [
            one for one in self._waiting if one[1] == name
        ]
        if not asked and not self._waiting:
            message = f"{place} is the result of a call, but no call before it waits for one"
            raise ShapeFault(message, "Put the call of the function before it, or delete it.")
        mine = asked[0] if asked else self._waiting[0]
        self._waiting.remove(mine)
        content = result if isinstance(result, str) else as_text(result)
        self.messages.append({"role": "tool", "tool_call_id": mine[0], "content": content})
        self.places.append(place)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


class _Spoken:
    """A turn of a transcript."""

    def __init__(self, speaker: str, text: str) -> None:
        self.speaker, self.text = speaker, text


def turns_in(value: Any) -> list[Any] | None:
    """Return the turns that a value holds: a list, JSON text or a transcript; None if it holds none."""
    found = decoded(value)
    if isinstance(found, Mapping):
        inner = next((found[key] for key in ("messages", "conversations", "turns") if key in found), None)
        if inner is not None:
            return turns_in(inner)
        return [found] if speaker_key(found) else None
    if isinstance(found, list):
        return found
    return list(_transcript(found)) or None if isinstance(found, str) else None


def _transcript(text: str) -> Iterator[_Spoken]:
    """Yield the turns of `Human: … Assistant: …`, of `### Human: …` or ChatML, if it is one."""
    mark = next((mark for start, mark in MARKS if start.match(text)), None)
    found = list(re.finditer(mark, text)) if mark else []
    if not {role_of(one[1]) for one in found} >= {"user", "assistant"}:
        return
    ends = [*(one.start() for one in found[1:]), len(text)]
    turns = [
        _Spoken(one[1], LAST_MARK.sub("", text[one.end() : end]).strip())
        for one, end in zip(found, ends, strict=True)
    ]
    yield from turns if turns[-1].text else turns[:-1]  # a prompt ends with the mark of who answers


def is_talk(value: Any, *, texts: bool = False) -> bool:
    """Return whether a value is a list of turns, JSON text of one or a transcript; `texts` may alternate."""
    turns = turns_in(value)
    if not turns:
        return False
    if texts and len(turns) > 1 and all(isinstance(one, str) for one in turns):
        return True
    return all(_is_turn(one) for one in turns)


def _is_turn(turn: Any) -> bool:
    if isinstance(turn, (list, tuple)):
        return len(turn) == 2 and all(one is None or isinstance(one, str) for one in turn)
    if isinstance(turn, Mapping):
        return speaker_key(turn) is not None or is_keyed(turn)
    return isinstance(turn, _Spoken)


def is_keyed(turn: Mapping[str, Any]) -> bool:
    """Return whether a turn has a key for who asks, or for who answers, and a text there."""
    keys = [key for key in turn if isinstance(key, str) and isinstance(turn[key], str)]
    asks = any(key.lower() in ASKS or role_of(key) == "user" for key in keys)
    answers = any(key.lower() in ANSWERS or role_of(key) == "assistant" for key in keys)
    return (asks and answers) or ((asks or answers) and len(turn) == 1)


def speaker_key(turn: Mapping[str, Any]) -> str | None:
    """Return the key of a turn that says who speaks."""
    said = any(key in turn for key in (*SAID, "tool_calls", "function_call"))
    return next((key for key in SPEAKER if isinstance(turn.get(key), (str, Mapping)) and said), None)


def _made_calls(turn: Mapping[str, Any], place: str) -> list[Any]:
    """Return the calls that a turn has beside its text."""
    calls = decoded(turn.get("tool_calls")) or decoded(turn.get("function_call"))
    if not calls:
        return []
    if isinstance(calls, str):
        raise ShapeFault(f"{place}.tool_calls is {shown(calls)}, not a list of calls")
    return list(calls) if isinstance(calls, list) else [calls]


def add_tools(talk: Talk, row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Take the tools from the first of the columns that has some, and return its name."""
    for name in names:
        if row.get(name) not in (None, "", [], {}):
            talk.tools += tools_of(row[name], f"`{name}`")
            return name
    return None
