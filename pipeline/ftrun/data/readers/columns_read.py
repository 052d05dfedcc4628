"""Which columns of a file anything looks at: what is wrong in the others need not stop anybody."""

from __future__ import annotations

from collections.abc import Iterator

from ftrun.data.readers.cells import Needed
from ftrun.data.readers.conversation import MESSAGE_COLUMNS
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.templates.plain import named_templates
from ftrun.protocol.spec import CHAT_KEYS, COMPLETION_KEYS, LEGACY_KEYS, PREFERENCE_KEYS

READY = frozenset((*CHAT_KEYS, *COMPLETION_KEYS, *PREFERENCE_KEYS, *LEGACY_KEYS, "conversations", "system"))


def needed_columns(experiment: Experiment, source: Source) -> Needed:
    """Return the columns, as the file names them, that can matter; None if all of them can."""
    if experiment.train.method == "reinforcement":
        return None  # graders are shown the whole row
    names: set[str] = {"messages", *source.group_by, source.order_by or ""}
    split = experiment.data.split
    if split is not None:
        names |= {split.stratify_by or "", *split.group_by}
    if not (experiment.prompt.user or experiment.prompt.messages):
        names |= READY | {*(MESSAGE_COLUMNS if source.group_by else ())}
    for text in _texts(experiment, source):
        from ftrun.experiment.templates.syntax import names_in  # imports jinja2

        more = names_in(experiment, text)
        if more is None or (source.group_by and "rows" in more):
            return None
        names |= more
    return frozenset((source.columns or {}).get(name, name) for name in names)


def _texts(experiment: Experiment, source: Source) -> Iterator[str]:
    """Yield the templates of the prompt, and the condition of the source as one."""
    yield from (template.text for _, template in named_templates(experiment))
    if source.where is not None:
        yield f"{{{{ ({source.where}\n) }}}}"
