"""What the target's provider says of the data as a whole: the method, the size of files, images."""

from __future__ import annotations

from ftrun.cost.tool_tokens import IMAGES
from ftrun.data.diagnostics.findings import Findings
from ftrun.data.pipeline.gathering import Gathered
from ftrun.data.split.division import TRAIN
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.protocol.spec import SPLITS
from ftrun.targets.training_rules import DEFAULT_CODE, MEGA, is_default, method_faults, rules_of


def judge_method(experiment: Experiment, findings: Findings) -> None:
    """Add that the provider can't train by the experiment's method."""
    for fault in method_faults(rules_of(experiment.target), experiment.train.method):
        where = place_of(experiment, "train", "method")
        code = DEFAULT_CODE if is_default(experiment) else fault.code
        findings.add(code, fault.message, hint=fault.hint, **where)


def judge_files(experiment: Experiment, gathered: Gathered, parts: bytearray, findings: Findings) -> None:
    """Add files that the provider would refuse for their size or their number of images."""
    rules, where = rules_of(experiment.target), place_of(experiment, "data", "sources")
    if rules.most_image_examples is not None:
        pairs = zip(gathered.flags, parts, strict=True)
        images = sum(1 for flags, part in pairs if flags & IMAGES and part == TRAIN)
        if images > rules.most_image_examples:
            words = f"{images:,} training examples have images; {rules.provider} takes "
            findings.add("provider_limit", f"{words}{rules.most_image_examples:,} in a file", **where)
    # which file a line goes to matters only where all of them together are too large
    if rules.file_bytes is None or gathered.spool.size <= rules.file_bytes:
        return
    sizes = [0] * len(SPLITS)
    for part, line in zip(parts, gathered.spool.lines(), strict=True):
        sizes[part] += len(line)
    for role, size in zip(SPLITS, sizes, strict=True):
        if size > rules.file_bytes:
            words = f"the {role} file has {size / MEGA:,.0f} MB; {rules.provider} takes "
            findings.add("file_size", f"{words}{rules.file_bytes / MEGA:,.0f} MB", **where)
