"""Finding the rows in what a JSON file holds: chats that are a row themselves, and objects around rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

BY_NAME = (
    'Each of its keys holds a row. This saves them alone: python3 -X utf8 -c "import json, sys; '
    'json.dump(list(json.load(sys.stdin).values()), sys.stdout, ensure_ascii=False)" < OLD.json > NEW.json'
)
DEEPEST = 3  # objects around the rows
ROLE_KEYS = (("role", "content"), ("role", "tool_calls"), ("role", "function_call"))
TURN_KEYS = (("from", "value"),)
PANDAS = (
    "It looks like a data frame that was saved by column: save it with "
    "df.to_json('NEW.jsonl', orient='records', lines=True, force_ascii=False)."
)


def is_messages(value: Any) -> bool:
    """Return whether a value is the messages of a chat."""
    return _is_list_with(value, ROLE_KEYS)


def row_of(value: Any) -> Any:
    """Return the row that a list of messages is, of the API's (`messages`) or ShareGPT's; else the value."""
    if is_messages(value):
        return {"messages": value}
    return {"conversations": value} if _is_list_with(value, TURN_KEYS) else value


def is_row(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a chat, so that a file which holds it alone has this one row."""
    return is_messages(value.get("messages")) or _is_list_with(value.get("conversations"), TURN_KEYS)


def _is_list_with(value: Any, keys: Sequence[tuple[str, ...]]) -> bool:
    return isinstance(value, list) and bool(value) and all(_has(one, keys) for one in value)


def _has(one: Any, keys: Sequence[tuple[str, ...]]) -> bool:
    if not isinstance(one, dict):
        return False
    return any(isinstance(one.get(names[0]), str) and names[1] in one for names in keys)


def row_lists(value: Any, path: str = "", depth: int = 1) -> dict[str, int]:
    """Return how many rows each list holds that an object has under one of its keys, by the key's path."""
    found: dict[str, int] = {}
    for key, one in value.items() if isinstance(value, dict) else ():
        if "." in key:
            continue  # it can't be named
        if _are_rows(one):
            if all(isinstance(each, dict) and isinstance(each.get("row"), dict) for each in one):
                return {f"{path}{key}.row": len(one)}  # as the dataset viewer of the Hub gives them
            found[f"{path}{key}"] = len(one)
        elif isinstance(one, dict) and depth < DEEPEST:
            found |= row_lists(one, f"{path}{key}.", depth + 1)
    return found


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row_of(one), dict) for one in value)


def taken(value: Any, keys: Sequence[str]) -> Any:
    """Return what is at the end of a path of keys; None if there is nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def list_at(value: Any, path: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the keys that lead to a list, and those to take in its entries; None if they lead nowhere."""
    if isinstance(value, dict) and isinstance(value.get(path), list):
        return (path,), ()
    keys = tuple(path.split("."))
    for count in range(1, len(keys) + 1):
        if isinstance(taken(value, keys[:count]), list):
            return keys[:count], keys[count:]
    return None


def position_at(text: str, position: int, keys: Sequence[str]) -> int:
    """Return where the value begins to which `keys` lead in the object, known to be sound, at `position`."""
    decode = json.JSONDecoder().raw_decode
    for wanted in keys:
        position = skip_space(text, position + 1)
        while True:
            key, position = decode(text, position)
            position = skip_space(text, skip_space(text, position) + 1)
            if key == wanted:
                break
            _, position = decode(text, position)
            position = skip_space(text, skip_space(text, position) + 1)
    return position


def skip_space(text: str, position: int) -> int:
    """Return the position of the first character from `position` on that is not space."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def is_by_name(value: Any) -> bool:
    """Return whether an object holds a row under each of its keys."""
    rows = list(value.values()) if isinstance(value, dict) else []
    return len(rows) > 1 and all(isinstance(one, dict) and one.keys() == rows[0].keys() for one in rows)


def is_by_column(value: Any) -> bool:
    """Return whether an object holds a table by column, or its names and values apart."""
    if not isinstance(value, dict) or not value:
        return False
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return True
    parts = list(value.values())
    if all(isinstance(one, dict) and one and all(map(str.isdecimal, one)) for one in parts):
        return True
    lists = all(isinstance(one, list) and not any(isinstance(x, dict | list) for x in one) for one in parts)
    return lists and len(parts) > 1 and len({len(one) for one in parts}) == 1
