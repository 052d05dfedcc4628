"""Which texts an answer may be: `response_format`, or `text.format` in /v1/responses."""

from __future__ import annotations

from ftrun.engine.api.body import Body
from ftrun.engine.questions import Constraint


def read_format(body: Body, name: str, *, nested: bool) -> Constraint | None:
    """Return what an answer is held to; a schema is `nested` below `json_schema` in /v1/chat/completions.

    A schema is kept to whether it is `strict` or not.
    """
    given = body.object(name)
    if given is None:
        return None
    kind = given.choice("type", ("text", "json_object", "json_schema"))
    if kind is None:
        given.missing("type")
    if kind == "text":
        given.done()
        return None
    if kind == "json_object":
        given.done()
        return Constraint()
    inner = given.required_object("json_schema") if nested else given
    found = _schema(inner)
    inner.done()
    given.done()
    return found


def _schema(inner: Body) -> Constraint:
    inner.required_name("name")
    inner.text("description")  # for people: the model sees the schema's effect only
    inner.flag("strict")
    schema = inner.required_object("schema")
    return Constraint(schema=schema.values)
