"""The grammar of answers that call functions, in llguidance's variant of Lark.

It is what the template of a model writes, with the names of functions. Arguments are held to the schema of
their function: strictly if it is `strict`, else as far as llguidance knows what the schema says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.engine.inference.constraint import WHITE_SPACE
from ftrun.engine.models.call_form import CallForm
from ftrun.engine.questions import Constraint, Tools

OPTIONS = {"whitespace_pattern": WHITE_SPACE, "lenient": False}


def call_grammar(
    tools: Tools, form: CallForm, special: Mapping[int, str], *, constraint: Constraint | None = None
) -> str | None:
    """Return the grammar of an answer; None if it is free: any text, and calls as the model writes them.

    `special` are the special tokens, by id, that the form may have; `constraint` holds for the text of an
    answer that calls nothing.
    """
    must = tools.mode == "required" or tools.only is not None
    functions = [one for one in tools.functions if tools.only in (None, one["name"])]
    if not must and constraint is None and not any(one.get("strict") for one in functions):
        return None
    parts = {
        name: _literals(text, special)
        for name, text in (("middle", form.middle), ("tail", form.tail), ("joint", form.joint or ""))
    }
    several = f"({parts['joint']} call)*" if form.joint and tools.parallel and tools.only is None else ""
    calls = f"call {several} {parts['tail']}"
    head = _literals(form.head, special)
    if must:
        rules = [f"start: {head} {calls}"]
    elif constraint is not None:
        text = {**(constraint.schema or {"type": "object"}), "x-guidance": OPTIONS}
        rules = [f"start: text | {head} {calls}", f"text: %json {json.dumps(text)}"]
    else:
        rules = [*_free(form, special, head, calls)]
    rules.append("call: " + " | ".join(f"call_{number}" for number in range(len(functions))))
    for number, function in enumerate(functions):
        schema = json.dumps(_schema(function))
        rules.append(f"call_{number}: {json.dumps(function['name'])} {parts['middle']} %json {schema}")
    return "\n".join(rules)


def _free(form: CallForm, special: Mapping[int, str], head: str, calls: str) -> Iterator[str]:
    """Yield the rules of an answer that may be any text or, after any text, calls."""
    if not form.marker:  # a text that doesn't begin as a call does
        yield f"start: TEXT | {head} {calls}"
        yield f"TEXT: /[^{re.escape(form.head[:1])}\\s](?s:.*)/"
        return
    if form.marker in special.values():  # which is in no text
        yield f"start: TEXT | TEXT {head} {calls}"
    else:  # text up to the marker
        rest = _literals(form.head.partition(form.marker)[2], special)
        yield f"start: TEXT | marked {rest} {calls}"
        yield f"marked[lazy]: TEXT {json.dumps(form.marker)}"
    yield "TEXT: /(?s:.*)/"


def _literals(text: str, special: Mapping[int, str]) -> str:
    """Return a text as a sequence of strings and special tokens."""
    ids = {name: number for number, name in special.items()}
    names = "|".join(map(re.escape, sorted(ids, key=len, reverse=True)))
    parts = re.split(f"({names})", text) if names else [text]
    return " ".join(f"<[{ids[part]}]>" if part in ids else json.dumps(part) for part in parts if part)


def _schema(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a function's arguments, with llguidance's options."""
    options = {**OPTIONS, "lenient": not function.get("strict")}
    return {"type": "object", **(function.get("parameters") or {}), "x-guidance": options}
