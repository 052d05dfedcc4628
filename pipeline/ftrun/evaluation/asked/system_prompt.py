"""The system prompt of questions that bring none: the experiment's or, of ready chats, the usual one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ftrun.data.pipeline.own_rows import own_rows
from ftrun.errors import UserError
from ftrun.experiment.model import Experiment


def system_prompt(experiment: Experiment, folder: Path) -> str | None:
    """Return the experiment's system prompt rendered with `vars` alone; for ready chat rows their most
    common one. UserError when the template needs a row, or the training file is damaged.
    """
    prompt = experiment.prompt
    if prompt.system is None and not any(one.role == "system" for one in prompt.messages or ()):
        return most_common_system(own_rows(folder, "train"))
    from ftrun.experiment.templates.rendering import Renderer  # jinja2 costs 0.15 s

    try:
        return Renderer(experiment).render_system()
    except UserError as error:
        error.problem.hint = (
            "Eval prompts have no row: give each its own `system:`, or keep columns out of prompt.system."
        )
        raise


def most_common_system(examples: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the system message that most chat examples begin with; None if none has one."""
    found: Counter[str] = Counter()
    for example in examples:
        asked = example.get("input", example)  # of a preference
        first = asked["messages"][0] if asked.get("messages") else {}
        if first.get("role") == "system" and isinstance(first.get("content"), str):
            found[first["content"]] += 1
    return found.most_common(1)[0][0] if found else None
