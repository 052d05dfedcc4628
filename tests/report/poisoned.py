"""Facts of a report whose every foreign text is hostile."""

from __future__ import annotations

from typing import Any

from ftrun.report import Facts


def poisoned(document: dict[str, Any], payload: str) -> Facts:
    """Return facts whose every foreign text holds `payload`."""
    document["experiment"] |= {"name": payload, "description": payload, "file": payload}
    document["warnings"] = [payload]
    document["target"] |= {"name": payload, "base_url": payload}
    document["job"] |= {"id": payload, "fine_tuned_model": payload, "status": payload}
    document["job"]["requested"] = {payload: payload}
    document["data"]["encoding"] = payload
    document["data"]["splits"] = {payload: document["data"]["splits"]["train"]}
    turns = [{"role": payload, "text": payload, "trained": True}]
    example = {"split": payload, "number": 1, "file": payload, "line": 2, "tokens": 3, "trained_tokens": 4}
    document["data"]["examples"] = [{**example, "turns": turns, "tags": [payload]}]
    document["data"]["problems"] = [
        {
            "severity": "error",
            "code": payload,
            "message": payload,
            "file": payload,
            "line": 1,
            "hint": payload,
        }
    ]
    document["provenance"] |= {
        "data": {payload: payload},
        "libraries": {payload: payload},
        "platform": payload,
    }
    scores = document["scores"]
    scores["candidates"][payload] = {
        **scores["candidates"]["base"],
        "parts": {payload: {"pass_rate": {"value": 0.5, "n": 2}}},
    }
    scores["comparisons"] += [{**scores["comparisons"][0], "a": payload, "b": payload}]
    scores |= {
        "verdict": {"decision": "do_not_ship", "reasons": [payload]},
        "gates": [{"gate": payload, "passed": False, "value": 1.0, "reason": payload}],
        "warnings": [payload],
        "confusion": {payload: {"labels": [payload, "b"], "counts": [[1, 2, 3], [4, 5, 6]]}},
    }
    for answer in document["answers"]:
        answer |= {"answer": payload, "failures": [payload], "candidate": payload, "reference": payload + "!"}
        answer |= {"tags": (payload,), "refusal": "content_filter"}
        answer["scores"] = {payload: {"value": 1.5, "explanation": payload}}
        answer["tool_calls"] = ({"function": {"name": payload, "arguments": payload}},)
        answer["messages"] = [{"role": "system", "content": payload}, {"role": "user", "content": payload}]
    return Facts.from_json(document)
