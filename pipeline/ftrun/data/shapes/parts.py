"""The parts of a content: texts of Gemini and of the Responses API, calls and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.data.shapes.values import ShapeFault, as_text
from ftrun.protocol.faults import shown

TEXTS = ("text", "input_text", "output_text", None)
PART_FIX = 'Write a part as {"type": "text", "text": "..."}, or an image as {"type": "image_url", ...}.'
RESULTS = ("functionResponse", "function_response")
MEDIA = ("inlineData", "inline_data", "fileData", "file_data")


def parts_of(content: Any, place: str) -> tuple[Any, list[Any], list[Any]]:
    """Return the content as the API takes it, the calls in it, and the results of calls in it."""
    if isinstance(content, Mapping):
        inner = content.get("parts", content.get("content", content.get("text")))
        if inner is None:
            return as_text(content), [], []
        return parts_of(inner, place)
    if not isinstance(content, list):
        return content, [], []
    texts: list[str] = []
    kept: list[Any] = []
    calls: list[Any] = []
    results: list[Any] = []
    for part in content:
        text = _text(part)
        if text is not None:
            texts.append(text)
            kept.append({"type": "text", "text": text})
        elif isinstance(part, Mapping) and part.get("type") == "image_url":
            kept.append(part)
        elif (call := _inner(part, "functionCall", "function_call")) is not None:
            calls.append(call)
        elif (result := _inner(part, *RESULTS)) is not None:
            results.append(result.get("response", result))
        else:
            media = isinstance(part, Mapping) and any(key in part for key in MEDIA)
            fix = (
                'Write the image as {"type": "image_url", ...}, or leave the row out.' if media else PART_FIX
            )
            raise ShapeFault(f"{place} has a part that can't be used: {shown(part)}", fix)
    whole = kept if len(texts) < len(kept) else "".join(texts)
    return whole, calls, results


def is_parts(content: Any) -> bool:
    """Return whether a content is a list of texts with a type, or of Gemini's results, and not a value."""
    return isinstance(content, list) and all(
        isinstance(part, Mapping)
        and (("type" in part and _text(part) is not None) or _inner(part, *RESULTS) is not None)
        for part in content
    )


def text_of(value: Any) -> Any:
    """Return the text of a value that may be a list of parts."""
    return parts_of(value, "")[0] if isinstance(value, (list, Mapping)) else value


def _text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and part.get("type") in TEXTS and isinstance(part.get("text"), str):
        return str(part["text"])
    return None


def _inner(part: Any, *names: str) -> Mapping[str, Any] | None:
    found = next((part[name] for name in names if name in part), None) if isinstance(part, Mapping) else None
    return found if isinstance(found, Mapping) else None
