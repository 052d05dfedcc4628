"""The tips of findings in texts, for the experiment and the rows at hand: each can be followed literally."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence

from ftrun.data.diagnostics.codes import CODES
from ftrun.experiment.model import Experiment
from ftrun.protocol.faults import Fault

# the rule of `data.clean` that undoes a finding
CLEANED: Mapping[str, str] = {
    "outer_space": "trim",
    "carriage_return": "newlines",
    "control_character": "hidden",
    "bidi_character": "hidden",
    "full_width": "half_width",
    "html": "html",
    "tabs": "tabs",
    "old_separators": "separators",
    "mojibake": "mojibake",
}
LOST_FOREVER = "Export the file again as UTF-8, or correct the text by hand: some characters of it are lost."


def text_tip(experiment: Experiment, code: str, faults: Sequence[Fault]) -> str | None:
    """Return the tip for findings of one code, None if the usual one of the code fits."""
    if code == "mojibake":
        return _mojibake_tip(experiment, faults)
    if code in CLEANED:
        return _cleaning_tip(experiment, code)
    if code == "blank_answer":
        return _blank_tip(experiment, faults)
    if code.startswith("pii_"):
        return _pii_tip(experiment, code.removeprefix("pii_"))
    return None


def _cleaning_tip(experiment: Experiment, code: str) -> str:
    """Return the code's tip, with the rules that the experiment has already."""
    rule = CLEANED[code]
    rules = ", ".join(dict.fromkeys((*experiment.data.clean, rule)))
    return CODES[code].fix.replace(f"[{rule}]", f"[{rules}]")


def _mojibake_tip(experiment: Experiment, faults: Sequence[Fault]) -> str:
    """Return how to repair texts: by reading the file rightly if that went wrong, else one by one."""
    given = {source.encoding for source in experiment.data.sources if source.encoding}
    wrong = {fault.hint.partition(" ")[0] for fault in faults if fault.hint}
    for encoding in given:
        if {_codec(encoding)} == {_codec(one) for one in wrong}:
            return (
                f"Set `encoding: utf-8` on the source instead of `encoding: {encoding}`: the file is UTF-8."
            )
    if all(fault.hint and fault.hint.endswith(" repaired") for fault in faults):
        return _cleaning_tip(experiment, "mojibake")
    return LOST_FOREVER


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return encoding


def _blank_tip(experiment: Experiment, faults: Sequence[Fault]) -> str | None:
    """Return how to leave out the rows whose answers are blank; None where a condition can't name them."""
    values: dict[str, list[str]] = {}
    for fault in faults:
        accessor = accessor_of(experiment, fault.field)
        if accessor is None:
            return None
        answer = fault.message.partition("“")[2].rpartition("”")[0].casefold()
        values.setdefault(accessor, []).append(answer)
    conditions = [
        f"({accessor} | trim | lower) not in {sorted(set(answers))}" for accessor, answers in values.items()
    ]
    where = " and ".join(conditions)
    if any(source.where for source in experiment.data.sources):
        return f"Write it, or leave such rows out: add `and {where}` to `where` of the source."
    return f"Write it, or leave such rows out: `where: {where}` on the source."


def accessor_of(experiment: Experiment, field: str) -> str | None:
    """Return how a condition of a source names a field of its rows, None if it can't."""
    if field.startswith("prompt."):
        return None
    if any(source.shape for source in experiment.data.sources):  # conditions see what the shape makes
        whole = all(source.shape for source in experiment.data.sources)
        return "messages[-1].content" if whole and experiment.train.method == "supervised" else None
    head, bracket, rest = field.partition("[")
    if head in ("messages", "conversations") and bracket:
        _, _, key = rest.partition("]")
        return f"{head}[-1]{key}" if key in (".content", ".value") else None
    if bracket or "." in field:
        return field if head in ("preferred_output", "non_preferred_output") else None
    return field if field.isidentifier() else f"row[{field!r}]"


def _pii_tip(experiment: Experiment, kind: str) -> str | None:
    """Return the tip with what `data.pii` says of other kinds."""
    pii = experiment.data.pii
    if not isinstance(pii, Mapping) or not pii:
        return None
    merged = ", ".join(f"{name}: {action}" for name, action in {**pii, kind: "mask"}.items())
    fix = CODES[f"pii_{kind}"].fix
    return fix.replace(f"{{{kind}: mask}}", f"{{{merged}}}")
